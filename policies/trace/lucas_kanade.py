"""The built-in tracker: pyramidal Lucas-Kanade optical flow of OpenCV.

Not CoTracker's traces: points near the edges of things drift, fast ones get lost. Results made with it must say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from policies.phi3v.threads import on_threads
from policies.trace.trackers import Clip, GridTracks, TrackerDescription, grid_points

WINDOW = 9
"""Pixels; a larger one drags the background along with moving objects."""
LEVELS = 3
ITERATIONS = 20
EPSILON = 0.03
"""Pixels."""
FORWARD_BACKWARD = 1.0
"""Pixels that a point may miss its start by when it is followed there and back. Without this check most of the fast
"moving" points are wrong."""


class LucasKanadeTracker:
    """Follows each point from image to image, and back again to check it."""

    name = "lucas_kanade"
    one_by_one = True

    def __init__(self, why: str) -> None:
        """``why`` it was taken, for the record."""
        self._why = why

    def describe(self) -> TrackerDescription:
        """Settings, and the warning that belongs beside every number made with it."""
        details: dict[str, JsonValue] = {
            "why": self._why,
            "note": "built-in optical flow; its traces are not CoTracker's",
            "opencv": cv2.__version__,
            "window_px": WINDOW,
            "levels": LEVELS,
            "iterations": ITERATIONS,
            "epsilon_px": EPSILON,
            "forward_backward_px": FORWARD_BACKWARD,
        }
        return TrackerDescription(name=self.name, details=details)

    def grid(self, clips: Sequence[Clip], size: int) -> list[GridTracks]:
        """A point that fails the check once stays where it was and is not usable."""
        start = grid_points(size)
        return on_threads(lambda clip: _follow_grid(clip, start), clips)

    def points(self, clips: Sequence[Clip], queries: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """A point that fails the check keeps its last position."""
        return on_threads(lambda each: _follow_points(*each), list(zip(clips, queries, strict=True)))

    def forget(self, episode: str) -> None:
        """Nothing is kept."""


def _follow_grid(clip: Clip, start: NDArray[np.float32]) -> GridTracks:
    grey = [_grey(image) for image in clip.images]
    tracks, usable = [start], np.ones(len(start), dtype=np.bool_)
    for before, after in pairwise(grey):
        moved, believed = _step(before, after, tracks[-1])
        usable &= believed
        tracks.append(np.where(usable[:, None], moved, tracks[-1]))
    return GridTracks(np.stack(tracks), usable)


def _follow_points(clip: Clip, queries: NDArray[np.float32]) -> NDArray[np.float32]:
    begin = queries[:, 0].astype(np.int64)
    where = queries[:, 1:].astype(np.float32)
    first = int(begin.min())
    grey = [_grey(image) for image in clip.images[first:]]
    for index, (before, after) in enumerate(pairwise(grey), start=first):
        moved, believed = _step(before, after, where)
        where = np.where((believed & (begin <= index))[:, None], moved, where)
    return where


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _step(
    before: NDArray[np.uint8], after: NDArray[np.uint8], where: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Positions (N, 2) in ``after`` of points at ``where`` in ``before``, and which of them pass the check (N,)."""
    moved, there = _flow(before, after, where)
    returned, back = _flow(after, before, moved)
    missed = np.linalg.norm(returned - where, axis=1)
    return moved, there & back & (missed <= FORWARD_BACKWARD)


def _flow(
    before: NDArray[np.uint8], after: NDArray[np.uint8], where: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Positions (N, 2) and whether OpenCV tracked them (N,); its own arrays are (N, 1, 2)."""
    moved, tracked, _ = cv2.calcOpticalFlowPyrLK(
        before, after, np.ascontiguousarray(where[:, None]), np.empty_like(where[:, None]),
        winSize=(WINDOW, WINDOW), maxLevel=LEVELS,
        criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, ITERATIONS, EPSILON),
    )  # fmt: skip
    return moved[:, 0], tracked[:, 0].astype(np.bool_)
