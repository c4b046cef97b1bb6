"""``bench policy``: how long a policy takes to load and to answer while the simulator renders beside it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from eval.backends.render_devices import find_render_device
from eval.diagnostics.bench.report import Rate, Report, Row, measured_here
from eval.diagnostics.bench.timed_policy import TimedPolicy, asked_too_rarely, pace_of
from eval.nouns import counted
from eval.plan.suites import make_plan
from eval.records.options import RunOptions
from eval.rollout.policy_closing import close_object
from eval.rollout.run import check_run, run
from policies.base import PolicyDescription
from policies.registry import load_policy, with_device

TASKS = ("google_robot_pick_coke_can", "widowx_carrot_on_plate")


class PolicySpeed(Row):
    """What was measured in one run, or in the median of several."""

    policy: str
    workers: int
    load_seconds: float
    first_batch_ms: float
    """The first answer; libraries warm up in it, and it is in none of the other numbers."""
    batches: int
    mean_batch: float
    """Observations a batch."""
    ms_per_batch: float
    """Median."""
    ms_per_observation: float
    """Mean over all observations."""
    policy_share: float
    """Share of the run's time, first step to last, in which the policy was answering."""
    steps_per_second: float
    """Control steps of all episodes, from the first answer to the last; the median of the repeats."""
    repeats: tuple[float, ...]
    """Steps a second of every repeat; the other numbers are of the one in the middle."""
    errored: int
    description: PolicyDescription
    """After the run."""

    def cells(self) -> dict[str, str]:
        """For a table."""
        return {
            "policy": self.policy,
            "load s": f"{self.load_seconds:.1f}",
            "first batch ms": f"{self.first_batch_ms:.0f}",
            "batches": f"{self.batches} of {self.mean_batch:.1f}",
            "ms a batch": f"{self.ms_per_batch:.1f}",
            "ms an observation": f"{self.ms_per_observation:.1f}",
            "steps/s": Rate(median=self.steps_per_second, repeats=self.repeats).shown(),
            "policy busy": f"{self.policy_share:.0%}",
            "errored": str(self.errored),
        }


class PolicyReport(Report):
    """What ``bench policy`` measured."""

    speed: PolicySpeed

    @property
    def table(self) -> Sequence[Row]:
        """The one row."""
        return (self.speed,)

    def lines(self) -> list[str]:
        """In sentences, as there is one row of many columns."""
        speed = self.speed
        rate = Rate(median=speed.steps_per_second, repeats=speed.repeats).shown()
        return [
            self.heading,
            f"{speed.policy}: loaded in {speed.load_seconds:.1f} s, first batch {speed.first_batch_ms:.0f} ms",
            f"{counted(speed.batches, 'batch', 'batches')} of {speed.mean_batch:.1f}: {speed.ms_per_batch:.1f} "
            f"ms a batch (median), "
            f"{speed.ms_per_observation:.1f} ms an observation",
            f"{rate} control steps/s, the policy busy {speed.policy_share:.0%} of the time",
        ]


def measure_policy(
    name: str,
    policy_args: Mapping[str, object],
    episodes: int = 16,
    workers: int | None = None,
    max_steps: int | None = None,
    assets: str | None = None,
    render_device: str | None = None,
    repeats: int = 1,
) -> PolicyReport:
    """Load a policy and let it play episodes of both robots, without videos.

    Args:
        name: as ``--policy``.
        policy_args: its options.
        episodes: half of each robot.
        workers: simulator processes, default: one a core.
        max_steps: step limit instead of the tasks' own.
        assets: as ``--assets``.
        render_device: as ``--render-device``; a GPU is the policy's, too, unless ``policy_args`` name a device.
        repeats: how often the episodes are played, by the policy that was loaded once.

    Raises:
        UserError: as of ``eval.run``.
    """
    device = None if render_device is None else find_render_device(render_device)
    given = with_device(name, policy_args, device.alias if device is not None and device.cuda is not None else None)
    plan = make_plan(tasks=TASKS, limit=max(1, episodes // len(TASKS)), max_steps=max_steps)
    options = RunOptions(policy=name, workers=workers, assets=assets, render_device=render_device)
    check_run(plan, options.model_copy(update={"policy_args": given}))
    begin = time.perf_counter()
    policy = TimedPolicy(load_policy(name, given))
    load_seconds = time.perf_counter() - begin
    paces, errored, first_ms = [], 0, None
    try:
        for _ in range(repeats):
            policy.batches.clear()
            with tempfile.TemporaryDirectory(prefix="simpler-eval-bench-") as folder:
                data = run(plan, policy, out=Path(folder, "run"), workers=workers, assets=assets, render_device=render_device)
            if len(policy.batches) < 2:
                raise asked_too_rarely(data.records.values())
            first_ms = first_ms or 1e3 * policy.batches[0].seconds
            paces.append(pace_of(policy.batches))
            errored += sum(record.status == "errored" for record in data.records.values())
    finally:
        close_object(policy, name)
    middle = sorted(paces, key=lambda pace: pace.steps_per_second)[len(paces) // 2]
    world = data.header.world
    measured, drivers = measured_here()
    speed = PolicySpeed(
        policy=name,
        workers=workers or 0,
        load_seconds=load_seconds,
        first_batch_ms=first_ms or 0.0,
        batches=middle.batches,
        mean_batch=middle.mean_batch,
        ms_per_batch=middle.ms_per_batch,
        ms_per_observation=middle.ms_per_observation,
        policy_share=middle.policy_share,
        steps_per_second=Rate.of([pace.steps_per_second for pace in paces]).median,
        repeats=tuple(pace.steps_per_second for pace in paces),
        errored=errored,
        description=data.header.policy,
    )
    name_of_device = world.device if world is not None and world.device is not None else "nothing rendered"
    return PolicyReport(bench="policy", device=name_of_device, drivers=drivers, measured=measured, speed=speed)
