"""Where things may stand near a published state, in one of the two sets that are not the published one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.episode import PlacementSet, Vec2

Positions = NDArray[np.float64]
"""(n, 2) world positions, m."""

BAND = 2
"""Width of a band, in gaps."""
BLOCK, EMPTY_BLOCKS = 2048, 32
"""States that are looked at together, and how many such blocks in a row may hold none that can be used."""
DIGITS = 4
"""Of positions in metres."""


@dataclass(frozen=True)
class Room:
    """Where a thing may stand at all."""

    low: Vec2
    high: Vec2
    """Corners of the box, m."""
    taken: Positions
    """Published positions that it stays away from."""
    clearances: NDArray[np.float64]
    """(n,) m, from each of them."""

    def has(self, spots: Positions) -> NDArray[np.bool_]:
        """(n,) whether each position is in the box and clear of what is taken."""
        inside = np.all((spots >= np.array(self.low)) & (spots <= np.array(self.high)), axis=1)
        if len(self.taken):
            ways = np.linalg.norm(spots[:, None] - self.taken[None], axis=-1)
            inside &= np.all(ways >= self.clearances, axis=1)
        return np.asarray(inside)


@dataclass(frozen=True)
class Thing:
    """One thing that is to stand elsewhere: an object, or the robot's base."""

    middle: Vec2
    """Where it stands in the published state, m."""
    reach: Vec2
    """How far it may be moved along x and y, m."""
    room: Room
    gap: float
    """Least distance [m] between its positions in the two sets."""


def states(things: Sequence[Thing], placements: PlacementSet, name: str) -> Iterator[Positions]:
    """Positions (things, 2) of all things near a published state, evenly spread, without end; ends where there is no room.

    ``name`` begins the sequence somewhere of its own. Whether things are in each other's way is not looked at.
    """
    steps = _steps(2 * len(things))
    digest = hashlib.blake2b(f"{placements} {name}".encode(), digest_size=8 * len(things)).digest()
    begin = np.frombuffer(digest, dtype="<u4") / 2**32
    middles, reaches = (np.array([getattr(thing, name) for thing in things]) for name in ("middle", "reach"))
    block, empty = 0, 0
    while empty < EMPTY_BLOCKS:
        numbers = np.arange(block * BLOCK, (block + 1) * BLOCK)[:, None]
        spread = ((begin + numbers * steps) % 1.0).reshape(BLOCK, len(things), 2)
        spots = np.round(middles + (2 * spread - 1) * reaches, DIGITS)
        for column, thing in enumerate(things):
            spots = spots[in_band(spots[:, column], thing.gap, placements)]
            spots = spots[thing.room.has(spots[:, column])]
        yield from spots
        block, empty = block + 1, 0 if len(spots) else empty + 1


def _steps(dimensions: int) -> NDArray[np.float64]:
    """(dimensions,) of the additive sequence whose points fill a box evenly, however many are taken.

    One over the powers of the root of x^(d+1) = x + 1, of which the golden section is that of one dimension.
    """
    root = 1.5
    for _ in range(64):
        root = (1 + root) ** (1 / (dimensions + 1))
    return np.asarray(root ** -np.arange(1.0, dimensions + 1))


def in_band(spots: Positions, gap: float, placements: PlacementSet) -> NDArray[np.bool_]:
    """(n,) whether each position is in a band of the set.

    Bands run across the diagonal of x and y, so that they part positions along either axis, too. Those of the two sets take
    turns, with a gap between neighbours.
    """
    along = spots.sum(axis=1) / np.sqrt(2.0)
    phase = along / gap % (2 * (BAND + 1))
    begin = 0 if placements == "heldout" else BAND + 1
    return np.asarray((phase >= begin) & (phase <= begin + BAND))
