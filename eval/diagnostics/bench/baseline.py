"""``bench baseline``: the loop that was released with the policies, for comparison.

One simulator and the policy in one process, one episode after the other, one observation a batch, the model as PyTorch runs it
line by line, the tracker asked at every step.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from eval.backends.base import OwnWorker, load_simulation
from eval.diagnostics.bench.report import Rate, Report, Row, measured_here
from eval.diagnostics.bench.timed_policy import TimedPolicy, asked_too_rarely, pace_of
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.options import RunOptions
from eval.rollout.play import play_episode
from eval.rollout.policy_closing import close_object
from eval.rollout.run import find_backend_of
from policies.registry import load_policy, takes_option, with_device

RELEASED = {"inference": "eager"}
"""Options that make a policy what was released, for those that take them."""


class BaselineSpeed(Row):
    """The loop's speed."""

    policy: str
    policy_args: dict[str, str]
    """With what was added to make it the released one."""
    episodes: int
    steps: int
    load_seconds: float
    steps_per_second: float
    """From the first action to the last, scenes built and images rendered: what ``bench end2end`` calls the same."""
    repeats: tuple[float, ...]
    """Steps a second of every episode."""
    ms_per_observation: float
    """Of the policy."""
    errored: int

    def cells(self) -> dict[str, str]:
        """For a table."""
        return {
            "policy": self.policy,
            "episodes": str(self.episodes),
            "steps": str(self.steps),
            "steps/s": Rate(median=self.steps_per_second, repeats=self.repeats).shown(2),
            "ms an observation": f"{self.ms_per_observation:.0f}",
            "errored": str(self.errored),
        }


class BaselineReport(Report):
    """What ``bench baseline`` measured."""

    speed: BaselineSpeed

    @property
    def table(self) -> Sequence[Row]:
        """The one row."""
        return (self.speed,)


def measure_baseline(plan: Sequence[EpisodeSpec], options: RunOptions, episodes: int = 2) -> BaselineReport:
    """Play some episodes of a plan as the released loop does.

    Args:
        plan: as many episodes as wished are taken evenly from it.
        options: the policy, its options, device and files; our own world.
        episodes: how many.

    Raises:
        UserError: as of ``eval.run``; or the world is another one.
    """
    chosen = [plan[i * len(plan) // episodes] for i in range(min(episodes, len(plan)))]
    backend = find_backend_of(options, chosen)
    worker = backend.worker
    if not isinstance(worker, OwnWorker):
        raise UserError(f"The released loop is played in one process; leave --world {options.world} out.")
    gpu = backend.render_device if (backend.render_device or "").startswith("cuda") else None
    args = released_args(options.policy, options.policy_args)
    begin = time.perf_counter()
    policy = TimedPolicy(load_policy(options.policy, with_device(options.policy, args, gpu)))
    load_seconds = time.perf_counter() - begin
    simulation = load_simulation(worker.module)(worker.options)
    speeds, records = [], []
    try:
        for spec in chosen:
            played = len(policy.batches)
            record = play_episode(simulation, policy, spec).record
            records.append(record)
            mine = policy.batches[max(0, played - 1) :]  # from the last answer of the episode before: a scene is built
            if len(mine) > 1:
                speeds.append((len(mine) - 1) / (mine[-1].end - mine[0].end))
        device = simulation.describe().device
    finally:
        simulation.close()
        close_object(policy, options.policy)
    if len(policy.batches) < 2:
        raise asked_too_rarely(records)
    pace = pace_of(policy.batches)
    measured, drivers = measured_here()
    speed = BaselineSpeed(
        policy=options.policy,
        policy_args={name: str(value) for name, value in args.items()},
        episodes=len(records),
        steps=sum(record.steps for record in records),
        load_seconds=load_seconds,
        steps_per_second=pace.steps_per_second,
        repeats=tuple(speeds),
        ms_per_observation=pace.ms_per_observation,
        errored=sum(record.status == "errored" for record in records),
    )
    return BaselineReport(
        bench="baseline", device=device or "nothing rendered", drivers=drivers, measured=measured, speed=speed
    )


def released_args(policy: str, args: Mapping[str, object]) -> dict[str, object]:
    """``args`` with the options of the released loop, where the policy takes them."""
    return {**args, **{name: value for name, value in RELEASED.items() if takes_option(policy, name)}}
