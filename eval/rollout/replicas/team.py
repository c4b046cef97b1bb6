"""The replicas of a run as the head sees them, wherever they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self

from eval.rollout.replicas import messages


class Team(ABC):
    """Replicas by number. Use as a context manager; leaving it ends all of them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        """What the user is told of each."""

    @abstractmethod
    def events(self, timeout: float) -> Iterator[tuple[int, messages.FromReplica]]:
        """Whatever the replicas have said by now, waiting ``timeout`` seconds at most; ``Lost`` for one that died."""

    @abstractmethod
    def send(self, number: int, message: messages.ToReplica) -> None:
        """Say something to one; one that is gone is found by the next :meth:`events`."""

    @abstractmethod
    def dismiss(self, number: int) -> None:
        """End one for good."""

    @abstractmethod
    def close(self) -> None:
        """End whoever is left."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
