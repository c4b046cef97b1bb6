"""What a policy answers to observed episodes, each asked in its order from its beginning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eval.adapters.observations import ObservedEpisode
from eval.errors import UserError
from eval.rollout.policy_calls import PolicyCalls
from policies.base import EpisodeResult, Observation

Floats = NDArray[np.float64]
Trace = tuple[Floats, ...]
"""(T, 7) commands of every episode."""
Change = Callable[[Observation], Observation]


class AskedPolicy:
    """A policy and what it is called; remembers what it answered."""

    def __init__(self, name: str, calls: PolicyCalls) -> None:
        self.name, self._calls = name, calls

    def trace(self, episodes: Sequence[ObservedEpisode], change: Change | None = None, steps: int | None = None) -> Trace:
        """Ask about all episodes side by side, the first ``steps`` of each, with every observation changed before.

        Raises UserError if it fails.
        """
        answers = self.try_trace(episodes, change, steps)
        if isinstance(answers, str):
            raise UserError(f"{self.name} cannot be compared: {answers}.")
        return answers

    def try_trace(self, episodes: Sequence[ObservedEpisode], change: Change | None, steps: int | None = None) -> Trace | str:
        """As :meth:`trace`; one line instead where the policy cannot answer, as to an image of an odd size."""
        rows: list[list[tuple[float, ...]]] = [[] for _ in episodes]
        begun = []
        try:
            for episode in episodes:
                fault = self._calls.reset(episode.info)
                if fault is not None:
                    return fault.text
                begun.append(episode)
            for step in range(max(len(episode.observations) for episode in episodes)):
                if steps is not None and step >= steps:
                    break
                present = [(n, e.observations[step]) for n, e in enumerate(episodes) if step < len(e.observations)]
                seen = [one if change is None else change(one) for _, one in present]
                answer = self._calls.act(seen)
                if answer.faults:
                    return next(iter(answer.faults.values())).text
                for number, one in present:
                    rows[number].append(answer.actions[one.episode].command)
        finally:
            for episode in begun:
                self._calls.end(episode.info, EpisodeResult("failure", len(episode.observations)))
        return tuple(np.array(commands, np.float64).reshape(-1, 7) for commands in rows)


def with_image(observation: Observation, image: NDArray[np.uint8]) -> Observation:
    """The observation with another image, which cannot be written, as in a run."""
    shown = np.ascontiguousarray(image)
    shown.flags.writeable = False
    return replace(observation, image=shown)
