"""What a tracker of points is, and how one is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

TrackerName = Literal["auto", "cotracker", "lucas_kanade"]

PICTURE = 256
"""Height and width [px] of the pictures."""


class Clip(NamedTuple):
    """The newest pictures of one episode."""

    episode: str
    first: int
    """Number of the first picture since the episode was last forgotten: a key for what is kept about a picture."""
    pictures: tuple[NDArray[np.uint8], ...]
    """(256, 256, 3) RGB each."""


class GridTracks(NamedTuple):
    """Where the points of a grid went."""

    tracks: NDArray[np.float32]
    """(T, N, 2) x and y in pixels, in each of the clip's T pictures."""
    usable: NDArray[np.bool_]
    """(N,) whether the tracker stands by the point."""


class Tracker(Protocol):
    """Follows points through clips. All clips of one call have the same number of pictures."""

    name: str

    def describe(self) -> Mapping[str, Any]:
        """What a run record must carry about the tracker (JSON values)."""

    def grid(self, clips: Sequence[Clip], size: int) -> list[GridTracks]:
        """Follow ``grid_points(size)`` from each clip's first picture on."""

    def points(self, clips: Sequence[Clip], queries: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Where queried points are in each clip's last picture: (N, 2) x and y in pixels.

        ``queries``: (N, 3) a clip, index of a picture in the clip, x and y in pixels there; the same N for all clips.
        """

    def forget(self, episode: str) -> None:
        """Drop everything kept about an episode; also one that was never seen."""


def grid_points(size: int) -> NDArray[np.float32]:
    """(size * size, 2) x and y in pixels, row by row: CoTracker's grid, which is laid out in its own 512 x 384 pixels."""
    x = np.linspace(8, 504, size) * (PICTURE - 1) / 511
    y = np.linspace(8, 376, size) * (PICTURE - 1) / 383
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
