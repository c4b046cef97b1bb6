"""Two ways of asking the same model, side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from eval.adapters.asking import AskedPolicy, Trace
from eval.adapters.diagnosis import Diagnosis, Sides, diagnose
from eval.adapters.observations import LIST, ObservedEpisode, gather, load, save
from eval.adapters.said import COLUMNS
from eval.backends.selection import OWN
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.options import RunOptions
from eval.rollout.interrupts import Interrupts
from eval.rollout.policy_calls import PolicyCalls, PolicyNeeds
from eval.rollout.policy_closing import close_policy
from eval.rollout.run import check_run
from policies.base import EpisodeInfo, RobotName
from policies.registry import check_policy

TOLERANCE = 1e-6
"""m, rad and of the gripper's -1..1."""
NOISE = 3.0
"""Times the difference of a side from itself that the two may differ by."""


@dataclass(frozen=True)
class Step:
    """What both sides answer to one observation."""

    episode: str
    step: int
    policy: tuple[float, ...]
    reference: tuple[float, ...]


@dataclass(frozen=True)
class RobotComparison:
    """All observations of one robot."""

    robot: RobotName
    episodes: int
    steps: int
    differing: int
    """Steps in which anything differs by more than the tolerance."""
    largest: Mapping[str, float]
    """Component -> largest difference of one number: m, rad, of the gripper's -1..1."""
    noise: float
    """Largest difference of a side from itself, asked twice."""
    diagnosis: Diagnosis
    actions: tuple[Step, ...]


@dataclass(frozen=True)
class AdapterReport:
    """Of both robots."""

    policy: str
    reference: str
    tolerance: float
    robots: tuple[RobotComparison, ...]

    @property
    def agree(self) -> bool:
        """Whether nothing differs."""
        return all(robot.diagnosis.verdict == "agree" for robot in self.robots)

    def to_json(self) -> dict[str, Any]:
        """Everything, with every action of both."""
        return {"agree": self.agree, **asdict(self)}


def check_adapter(
    policy: str,
    reference: str,
    policy_args: Mapping[str, object] | None = None,
    reference_args: Mapping[str, object] | None = None,
    *,
    plan: Sequence[EpisodeSpec] = (),
    observations: Path | None = None,
    tolerance: float = TOLERANCE,
    assets: str | None = None,
    world: str = OWN,
) -> AdapterReport:
    """Ask ``policy`` and ``reference`` about the same observations, and look for the convention in which they differ.

    Args:
        policy: as after ``run --policy``.
        reference: the way of asking that is known to be right.
        policy_args: of the policy.
        reference_args: of the reference.
        plan: episodes in which a policy that moves at random gathers the observations.
        observations: a folder that holds them already, or where they are kept.
        tolerance: by which two numbers may differ.
        assets: of the world in which they are gathered.
        world: that world.

    Raises:
        UserError: a policy cannot be made or fails, or observations cannot be had.
    """
    if policy == reference and dict(policy_args or {}) == dict(reference_args or {}):
        raise UserError(f"{policy} is compared with itself; give --against another way of asking the same model.")
    for name, args in ((policy, policy_args), (reference, reference_args)):
        check_policy(name, args or {}, own=False)
    kept = observations is not None and (observations / LIST).is_file()
    if observations is not None and not kept and observations.exists() and any(observations.iterdir()):
        raise UserError(f"{observations} holds no observations ({LIST}); give a new folder to keep them in.")
    if not kept:
        check_run(plan, RunOptions(policy="random", assets=assets, world=world))
    with _made(policy, policy_args) as mine, _made(reference, reference_args) as other:
        privileged = any(PolicyNeeds.of(calls.policy).privileged for calls in (mine, other))
        if observations is not None and (observations / LIST).is_file():
            if privileged:
                raise UserError("A policy that looks into the simulator cannot be asked about stored observations.")
            episodes = load(observations)
        else:
            episodes = gather(plan, assets, world, privileged)
            if observations is not None:
                save(episodes, observations)
        for name, calls in ((policy, mine), (reference, other)):
            calls.check_episodes(name, [episode.info for episode in episodes])
        sides = AskedPolicy(policy, mine), AskedPolicy(reference, other)
        robots = [_compared(*sides, _of(robot, episodes), robot, tolerance) for robot in get_args(RobotName)]
    return AdapterReport(policy, reference, tolerance, tuple(robot for robot in robots if robot is not None))


@contextlib.contextmanager
def _made(name: str, args: Mapping[str, object] | None) -> Iterator[PolicyCalls]:
    with Interrupts() as interrupts, PolicyCalls(interrupts) as calls:
        calls.make(name, dict(args or {}))
        try:
            yield calls
        finally:
            close_policy(calls, name)


def _of(robot: RobotName, episodes: Sequence[ObservedEpisode]) -> list[ObservedEpisode]:
    return [episode for episode in episodes if episode.info.robot == robot and episode.observations]


def _compared(
    policy: AskedPolicy, reference: AskedPolicy, episodes: Sequence[ObservedEpisode], robot: RobotName, tolerance: float
) -> RobotComparison | None:
    if not episodes:
        return None
    noise = max(_largest(side.trace(episodes), side.trace(episodes)) for side in (policy, reference))
    sides = Sides(policy, reference, episodes, robot, max(tolerance, NOISE * noise))
    mine, other = (np.concatenate(trace) for trace in sides.traces)
    off = np.abs(mine - other)
    names = [(episode.info, step) for episode in episodes for step in range(len(episode.observations))]
    return RobotComparison(
        robot=robot,
        episodes=len(episodes),
        steps=len(mine),
        differing=int((off > sides.tolerance).any(axis=1).sum()),
        largest={component: float(off[:, columns].max()) for component, columns in COLUMNS.items()},
        noise=noise,
        diagnosis=diagnose(sides),
        actions=tuple(
            Step(_label(info), step, tuple(map(float, a)), tuple(map(float, b)))
            for (info, step), a, b in zip(names, mine, other, strict=True)
        ),
    )


def _label(info: EpisodeInfo) -> str:
    return f"{info.task} {info.episode}"


def _largest(first: Trace, second: Trace) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))
