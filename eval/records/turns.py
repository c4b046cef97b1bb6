"""What a run plays: the episodes of a plan, each as often as ``run --repeat`` says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from eval.episode import EpisodeSpec
from eval.records.results import RecordKey


class Turn(NamedTuple):
    """An episode to be played, as one of its repeats."""

    spec: EpisodeSpec
    repeat: int = 0
    """0 for the first."""

    @property
    def key(self) -> RecordKey:
        """Under what a run keeps the result."""
        return RecordKey(self.spec.id, self.repeat)

    @property
    def seed(self) -> int:
        """For policies that sample: the episode's own in the first repeat, 32 bits made of it in every other."""
        return seed_of(self.spec.seed, self.repeat)


def seed_of(seed: int, repeat: int) -> int:
    """Seed of a repeat of an episode that has this seed itself."""
    if not repeat:
        return seed
    return int.from_bytes(hashlib.blake2b(f"{seed} {repeat}".encode(), digest_size=4).digest(), "big")


def turns_of(plan: Iterable[EpisodeSpec], repeats: int) -> Iterator[Turn]:
    """The whole plan, then the whole plan again."""
    specs = list(plan)
    return (Turn(spec, repeat) for repeat in range(repeats) for spec in specs)
