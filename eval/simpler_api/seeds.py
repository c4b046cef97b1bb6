"""The original's random generators (spec tasks 0.1): a chain of seeds, and draws that all restart from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

CONSTRUCTION_SEED = 2022
"""Every environment of the original resets itself once with this seed when it is made."""

Item = TypeVar("Item")


class SeedChain:
    """Seeds of the resets of one environment object, from just after its construction.

    A reset without a seed draws one from the generator that the previous reset left; a reset with a seed starts the
    chain anew from there.
    """

    def __init__(self, last: int = CONSTRUCTION_SEED) -> None:
        self.last = last
        """Seed of the latest reset."""

    def next(self, seed: int | None = None) -> int:
        """Seed of the reset that is made now."""
        if seed is None:
            seed = int(fresh(self.last).randint(2**32, dtype=np.int64))
        self.last = seed
        return seed


def fresh(seed: int) -> np.random.RandomState:
    """A generator as every level of a reset makes it again: the first draws of all levels are the same numbers."""
    return np.random.RandomState(seed)


def choose(items: Sequence[Item], rng: np.random.RandomState) -> Item:
    """One of the items; a single item draws nothing."""
    return items[0] if len(items) == 1 else items[int(rng.randint(len(items)))]


FRESH_ENVIRONMENT_SEED = SeedChain().next()
"""Seed of the first unseeded reset: the sweeps make a new environment per episode, so all of them have it."""
