"""The original's chain of seeds from reset to reset (docs/simpler.md, tasks 0.1)."""

from __future__ import annotations

import numpy as np

from eval.tasks.sampling import fresh

CONSTRUCTION_SEED = 2022
"""Every environment of the original resets itself once with this seed when it is made."""


class SeedChain:
    """Seeds of the resets of one environment object, from just after its construction.

    A reset without a seed samples one from the generator that the previous reset left; a reset with a seed starts the
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


FRESH_ENVIRONMENT_SEED = SeedChain().next()
"""Seed of the first unseeded reset: the sweeps make a new environment per episode, so all of them have it."""
