"""``bench policy``: how long a policy takes to load and to answer while the simulator renders beside it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.backends.render_devices import find_render_device
from eval.plan.suites import make_plan
from eval.rollout.run import run
from policies.base import Action, EpisodeInfo, EpisodeResult, Observation, Policy, PolicyDescription
from policies.registry import load_policy, with_device

TASKS = ("google_robot_pick_coke_can", "widowx_carrot_on_plate")


@dataclass(frozen=True)
class PolicySpeed:
    """What was measured in one run."""

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
    """Control steps of all episodes, from the first answer to the last."""
    errored: int
    description: PolicyDescription
    """After the run."""


class TimedPolicy:
    """A policy with a clock around ``act``."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.needs_image = getattr(policy, "needs_image", True)
        self.needs_privileged = getattr(policy, "needs_privileged", False)
        self.batches: list[tuple[float, float, int]] = []
        """(begin [s], seconds, observations) of every batch."""

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """As the policy's."""
        self._policy.reset(episodes)

    def act(self, observations: Sequence[Observation]) -> Sequence[Action]:
        """As the policy's, timed."""
        begin = time.perf_counter()
        actions = self._policy.act(observations)
        self.batches.append((begin, time.perf_counter() - begin, len(observations)))
        return actions

    def end(self, episodes: Sequence[EpisodeInfo], results: Sequence[EpisodeResult]) -> None:
        """As the policy's, if it has one."""
        method = getattr(self._policy, "end", None)
        if callable(method):
            method(episodes, results)

    def describe(self) -> PolicyDescription:
        """As the policy's."""
        return self._policy.describe()

    def close(self) -> None:
        """As the policy's."""
        self._policy.close()


def measure_policy(
    name: str,
    policy_args: Mapping[str, object],
    episodes: int = 16,
    workers: int | None = None,
    max_steps: int | None = None,
    assets: str | None = None,
    render_device: str | None = None,
) -> PolicySpeed:
    """Load a policy and let it play episodes of both robots, without videos.

    Args:
        name: as ``--policy``.
        policy_args: its options.
        episodes: half of each robot.
        workers: simulator processes, default: one a core.
        max_steps: step limit instead of the tasks' own.
        assets: as ``--assets``.
        render_device: as ``--render-device``; a GPU is the policy's, too, unless ``policy_args`` name a device.

    Returns:
        The measurements.

    Raises:
        UserError: as of ``eval.run``.
    """
    device = None if render_device is None else find_render_device(render_device)
    given = with_device(name, policy_args, device.alias if device is not None and device.cuda is not None else None)
    begin = time.perf_counter()
    policy = TimedPolicy(load_policy(name, given))
    load_seconds = time.perf_counter() - begin
    try:
        plan = make_plan(tasks=TASKS, limit=max(1, episodes // len(TASKS)), max_steps=max_steps)
        with tempfile.TemporaryDirectory(prefix="simpler-eval-bench-") as folder:
            data = run(plan, policy, out=Path(folder, "run"), workers=workers, assets=assets, render_device=render_device)
    finally:
        policy.close()
    (start, first, _), *rest = policy.batches
    seconds = np.array([taken for _, taken, _ in rest])
    sizes = np.array([size for _, _, size in rest])
    last_begin, last_taken, _ = policy.batches[-1]
    whole = last_begin + last_taken - start
    return PolicySpeed(
        policy=name,
        workers=workers or 0,
        load_seconds=load_seconds,
        first_batch_ms=1e3 * first,
        batches=len(rest),
        mean_batch=float(sizes.mean()),
        ms_per_batch=float(1e3 * np.median(seconds)),
        ms_per_observation=float(1e3 * seconds.sum() / sizes.sum()),
        policy_share=float(seconds.sum() / whole),
        steps_per_second=float(sum(record.steps for record in data.records.values()) / whole),
        errored=sum(record.status == "errored" for record in data.records.values()),
        description=data.header.policy,
    )
