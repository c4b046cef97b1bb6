"""Which action of a server's answers is played in a step."""

from __future__ import annotations

from collections import deque

from policies.base import RobotName
from policies.chunks import ActionChunks, Floats, Weights, cosine_weights, exponential_weights
from policies.remote.conventions import EnsembleRule


class Playing:
    """Of one episode.

    Without a rule all actions of an answer are played, or the first ``chunk``; with one, every step asks, and all answers that
    speak of the step are averaged.
    """

    def __init__(self, robot: RobotName, chunk: int | None, rule: EnsembleRule | None) -> None:
        self._left: deque[Floats] = deque()
        self._chunk = chunk
        self._chunks = ActionChunks(1, _weights(rule), rule.horizon.get(robot)) if rule is not None else None

    def is_due(self) -> bool:
        """Whether an answer must be added before the next action."""
        return not self._left if self._chunks is None else self._chunks.is_due("")

    def add(self, actions: Floats) -> None:
        """(n, D), the first for the step that comes next. Raises ValueError if they are fewer than are to be played."""
        if self._chunks is not None:
            self._chunks.add("", actions)
        elif self._chunk is not None and len(actions) < self._chunk:
            raise ValueError(f"{len(actions)} actions, of which {self._chunk} are to be played")
        else:
            self._left.extend(actions[: self._chunk])

    def next(self) -> Floats:
        """The (D,) action of this step."""
        return self._left.popleft() if self._chunks is None else self._chunks.next("")


def _weights(rule: EnsembleRule) -> Weights:
    if rule.weights == "cosine":
        return cosine_weights(rule.alpha)
    return exponential_weights(rule.alpha if rule.weights == "exponential" else 0.0)
