"""Chunks of actions: a policy that predicts several steps at a time plays some of each chunk, or averages what several say.

D numbers an action, as the model gives them: what a robot takes (gripper, scale) is made of an action when it is played. In a
policy's ``act``::

    due = [o for o in observations if self.chunks.is_due(o.episode)]
    for observation, chunk in zip(due, self.model(due)):
        self.chunks.add(observation.episode, chunk)
    return [self.action_of(self.chunks.next(o.episode), o) for o in observations]
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Weights = Callable[[Floats], Floats]
"""(k, D) what k chunks say of the same step, the oldest first -> (k,) weights, of any sum."""


def exponential_weights(m: float = 0.01) -> Weights:
    """Temporal ensembling as in ACT: exp(-m i), i = 0 for the oldest chunk; 0 is the plain mean."""
    return lambda predictions: np.exp(-m * np.arange(len(predictions)))


def cosine_weights(alpha: float = 0.1) -> Weights:
    """Adaptive ensembling as in CogACT: exp(alpha c), c the cosine between a prediction and the newest one."""

    def weights(predictions: Floats) -> Floats:
        lengths = np.linalg.norm(predictions, axis=1)
        cosines = predictions @ predictions[-1] / (lengths * lengths[-1] + 1e-7)
        return np.exp(alpha * cosines)  # type: ignore[no-any-return]

    return weights


class _Chunk(NamedTuple):
    start: int
    """Step that its first action is for."""
    actions: Floats


@dataclass
class _Episode:
    chunks: deque[_Chunk]
    step: int = field(default=0)


class ActionChunks:
    """Remembers the chunks of every episode; :meth:`forget` in the policy's ``reset`` and ``end``."""

    def __init__(self, play: int = 1, weights: Weights | None = None, horizon: int | None = None) -> None:
        """
        Args:
            play: a new chunk is due after so many steps. 1, and with it every step, where chunks are averaged.
            weights: how chunks that hold an action for the same step are averaged; None: the newest is played.
            horizon: average over so many chunks at most; None: over all that reach so far.
        """
        if play < 1 or (horizon is not None and horizon < 1):
            raise ValueError(f"play={play}, horizon={horizon}: both are counts of 1 or more")
        self._play, self._weights, self._horizon = play, weights, horizon
        self._episodes: dict[str, _Episode] = {}

    def is_due(self, episode: str) -> bool:
        """Whether a new chunk must be added before the next action."""
        memory = self._episodes.get(episode)
        return memory is None or memory.step >= memory.chunks[-1].start + self._play

    def add(self, episode: str, chunk: ArrayLike) -> None:
        """Add an (n, D) chunk, which begins with the action of the step that comes next.

        Raises ValueError if it is of another shape, or of fewer actions than are played of it.
        """
        actions = np.asarray(chunk, np.float64)
        if actions.ndim != 2 or len(actions) < self._play:
            raise ValueError(f"a chunk of shape {actions.shape} is not (n, D) with n of at least {self._play}")
        memory = self._episodes.setdefault(episode, _Episode(deque(maxlen=self._horizon)))
        memory.chunks.append(_Chunk(memory.step, actions))

    def next(self, episode: str) -> Floats:
        """The (D,) action of this step; the next call is about the step after it. Raises ValueError if a chunk is due."""
        if self.is_due(episode):
            raise ValueError(f"a chunk is due in episode {episode}: call add before next")
        memory = self._episodes[episode]
        while memory.step >= memory.chunks[0].start + len(memory.chunks[0].actions):
            memory.chunks.popleft()
        reaching = [chunk for chunk in memory.chunks if memory.step < chunk.start + len(chunk.actions)]
        predictions = np.stack([chunk.actions[memory.step - chunk.start] for chunk in reaching])
        memory.step += 1
        if self._weights is None:
            newest: Floats = predictions[-1]
            return newest
        weights = self._weights(predictions)
        return weights @ predictions / weights.sum()  # type: ignore[no-any-return]

    def forget(self, episodes: Iterable[str]) -> None:
        """Begin these episodes anew, or let them go."""
        for episode in episodes:
            self._episodes.pop(episode, None)
