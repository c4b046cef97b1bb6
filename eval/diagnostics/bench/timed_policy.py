"""A policy with a clock, and what its batches say about the speed of a run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from eval.diagnostics.bench.report import Rate
from eval.errors import EpisodeLost, UserError
from eval.records.results import EpisodeRecord
from policies.base import Action, EpisodeInfo, EpisodeResult, Observation, Policy, PolicyDescription

RAMP = 0.1
"""Share of the steps at either end of a run in which not all workers are at work."""


class Batch(NamedTuple):
    """One call of ``act``."""

    begin: float
    """s, of ``time.perf_counter``."""
    seconds: float
    size: int
    """Observations."""

    @property
    def end(self) -> float:
        """When it was answered."""
        return self.begin + self.seconds


class TimedPolicy:
    """A policy with a clock around ``act``; whatever else it has is its own."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.needs_image = getattr(policy, "needs_image", True)
        self.needs_privileged = getattr(policy, "needs_privileged", False)
        self.batches: list[Batch] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  optional methods of the policy
        if name.startswith("__") or name == "_policy":
            raise AttributeError(name)
        return getattr(self._policy, name)

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """As the policy's."""
        self._policy.reset(episodes)

    def act(self, observations: Sequence[Observation]) -> Sequence[Action | EpisodeLost]:
        """As the policy's, timed."""
        begin = time.perf_counter()
        actions = self._policy.act(observations)
        self.batches.append(Batch(begin, time.perf_counter() - begin, len(observations)))
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


class Pace(NamedTuple):
    """What the batches of one run say."""

    batches: int
    """Without the first."""
    mean_batch: float
    ms_per_batch: float
    """Median."""
    ms_per_observation: float
    policy_share: float
    """Share of the time from the first observation to the last action in which the policy was answering."""
    steps_per_second: float
    """From the first action on, to the last."""
    steady: Rate
    """Steps a second without the tenth of the steps at either end, in which not all workers are at work: one number for each
    of several parts of the run with equally many steps."""


def asked_too_rarely(records: Iterable[EpisodeRecord], otherwise: str = "play more steps") -> UserError:
    """The error where a policy was asked fewer than two times; ``otherwise``: what helps if no episode errored."""
    fault = next((record.error for record in records if record.error), None)
    why = otherwise if fault is None else f"the first episode errored: {fault}"
    return UserError(f"The policy was asked fewer than two times, so there is nothing to measure; {why}.")


def pace_of(batches: Sequence[Batch], parts: int = 3) -> Pace:
    """What two batches or more say; libraries warm up in the first, which is in none of the numbers."""
    first, *rest = batches
    seconds, sizes = np.array([batch.seconds for batch in rest]), np.array([batch.size for batch in rest])
    whole = batches[-1].end - first.end
    done, ends = np.cumsum(sizes), [batch.end for batch in rest]
    edges = np.linspace(RAMP, 1 - RAMP, parts + 1) * done[-1]
    steady = np.diff(edges) / np.diff(np.interp(edges, [0, *done], [first.end, *ends]))
    return Pace(
        batches=len(rest),
        mean_batch=float(sizes.mean()),
        ms_per_batch=float(1e3 * np.median(seconds)),
        ms_per_observation=float(1e3 * seconds.sum() / sizes.sum()),
        policy_share=float(seconds.sum() / whole),
        steps_per_second=float(sizes.sum() / whole),
        steady=Rate.of(steady.tolist()),
    )
