"""What a tracker of points is, and how one is chosen."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError

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


def make_tracker(name: TrackerName, checkpoint: Path | None, device: str) -> Tracker:
    """The tracker of that name; ``device`` and ``checkpoint`` (``scaled_offline.pth``) are for CoTracker alone.

    ``auto``: CoTracker if package and checkpoint are there, else the built-in Lucas-Kanade, whose description says why.
    """
    if name not in ("auto", "cotracker", "lucas_kanade"):
        raise UserError(f'Unknown tracker "{name}". Known: auto, cotracker, lucas_kanade.')
    if checkpoint is not None and not checkpoint.is_file():
        raise UserError(f"The tracker checkpoint {checkpoint} does not exist (or is no file).")
    if name == "lucas_kanade":
        return _lucas_kanade("asked for")
    installed = importlib.util.find_spec("cotracker") is not None
    if name == "auto" and checkpoint is None:
        return _lucas_kanade("no tracker checkpoint was given")
    if name == "auto" and not installed:
        return _lucas_kanade("the package cotracker is not installed")
    if not installed:
        raise UserError(
            "The tracker cotracker needs its package: pip install git+https://github.com/facebookresearch/co-tracker "
            "(licence CC-BY-NC 4.0, code and weights: no commercial use)."
        )
    if checkpoint is None:
        raise UserError(
            "The tracker cotracker needs its checkpoint: give the file scaled_offline.pth with --tracker-checkpoint "
            "(https://huggingface.co/facebook/cotracker3; licence CC-BY-NC 4.0: no commercial use)."
        )
    if importlib.util.find_spec("torch") is None:
        raise UserError("The tracker cotracker needs PyTorch: install simpler-eval with its extra vla.")
    from policies.trace.cotracker import load_cotracker

    return load_cotracker(checkpoint, device)


def _lucas_kanade(why: str) -> Tracker:
    from policies.trace.lucas_kanade import LucasKanadeTracker

    return LucasKanadeTracker(why)
