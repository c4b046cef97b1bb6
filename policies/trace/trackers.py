"""The interface of point trackers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue

TrackerName = Literal["auto", "cotracker", "lucas_kanade"]
TRACKERS: tuple[TrackerName, ...] = get_args(TrackerName)

IMAGE_SIDE = 256
"""Height and width [px] of the images."""


class TrackerDescription(BaseModel):
    """The run record's part about a tracker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    weights: str | None = None
    """Hash over the content of the weights; None for a tracker without."""
    details: dict[str, JsonValue] = {}
    """Settings that never change, versions, the device, where the weights lie."""


class Clip(NamedTuple):
    """The newest images of one episode."""

    episode: str
    first: int
    """Number of the first image since the episode was last forgotten: a key for what is kept about an image."""
    images: tuple[NDArray[np.uint8], ...]
    """(256, 256, 3) RGB each."""


class GridTracks(NamedTuple):
    """The tracks of a grid's points."""

    tracks: NDArray[np.float32]
    """(T, N, 2) x and y in pixels, in each of the clip's T images."""
    usable: NDArray[np.bool_]
    """(N,) whether the tracker trusts the point."""


class Tracker(Protocol):
    """Follows points through clips. All clips of one call have the same number of images."""

    name: str
    one_by_one: bool
    """Whether calls about single episodes, made from several threads, are as quick as one call about all of them."""

    def describe(self) -> TrackerDescription:
        """The run record's part about the tracker."""

    def grid(self, clips: Sequence[Clip], size: int) -> list[GridTracks]:
        """Follow ``grid_points(size)`` from each clip's first image on."""

    def points(self, clips: Sequence[Clip], queries: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Positions of queried points in each clip's last image: (N, 2) x and y in pixels.

        ``queries``: (N, 3) a clip, index of an image in the clip, x and y in pixels there; the same N for all clips.
        """

    def forget(self, episode: str) -> None:
        """Drop everything kept about an episode; also one that was never seen."""


def grid_points(size: int) -> NDArray[np.float32]:
    """(size * size, 2) x and y in pixels, row by row: CoTracker's grid, which is laid out in its own 512 x 384 pixels."""
    x = np.linspace(8, 504, size) * (IMAGE_SIDE - 1) / 511
    y = np.linspace(8, 376, size) * (IMAGE_SIDE - 1) / 383
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
