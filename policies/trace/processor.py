"""From images to images with a trace: which points are tracked when, and which of them are drawn."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from copy import copy
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from policies.trace.drawing import draw_trace
from policies.trace.presets import POINTS, TracePreset
from policies.trace.trackers import IMAGE_SIDE, Clip, GridTracks, Tracker

BOUND = 336
"""Pixels. A point outside [0, 336) is no candidate. The images are 256 wide, so a point may be up to 80 px outside on
the right and below: so in the release, whose traces the model was trained on."""
ACTIVE_ABOVE = 1.0
"""Pixels an image (mean of |dx| + |dy|) above which a point counts as moving."""
RETRY_AFTER = 5
"""Images that a failed dense call is waited after."""

CallKind = Literal["dense", "points"]


class TraceResult(NamedTuple):
    """One image, processed."""

    image: NDArray[np.uint8]
    """(256, 256, 3) RGB with the trace; the image that came in, the object itself, if there is none."""
    has_trace: bool


class SampledPoints(NamedTuple):
    """The points that a successful dense call chose."""

    active: int
    """Number of moving points it chose from."""
    ids: NDArray[np.int64]
    """(5,) indices among the candidates (not the whole grid), in the order they were sampled, which sets the colours."""


class EpisodeTrace:
    """The memory of one episode. Its size is fixed, however long the episode."""

    def __init__(self, preset: TracePreset, seed: int, window: int) -> None:
        self._preset = preset
        self._window = window
        self.random = np.random.RandomState(seed % 2**32)
        """Samples the points; its stream is the one of numpy's global generator in the release."""
        self.zero()

    def zero(self) -> None:
        """Forget all images and points; the random state goes on."""
        self.step = 0
        """Number of images so far."""
        self.traced = False
        """Whether the trace is drawn."""
        self.last_failure = 0
        """Step of the last failed dense call."""
        self.failed_active: int | None = None
        """Moving points that this step's dense call grid, if they were too few."""
        self.sampled: SampledPoints | None = None
        """The choice of this step's dense call."""
        self.n_rows = 0
        """Positions of the trace since its dense call."""
        self.rows: deque[NDArray[np.float32]] = deque(maxlen=self._window)
        """The newest of them, (5, 2) each: those drawn."""
        self._images: deque[NDArray[np.uint8]] = deque(maxlen=self._preset.frames)

    def copy(self) -> EpisodeTrace:
        """The same memory, which goes its own way from here; only the random state is shared."""
        other = copy(self)
        other.rows, other._images = self.rows.copy(), self._images.copy()
        return other

    @property
    def frames_held(self) -> int:
        """Number of images in the buffer."""
        return len(self._images)

    def see(self, image: NDArray[np.uint8]) -> CallKind | None:
        """Take the next image in; return which call of the tracker is needed."""
        self.step += 1
        self.failed_active = self.sampled = None
        self._images.append(image.copy())  # the caller may use its memory again
        if self.step < self._preset.frames:
            return None
        due = self.step % self._preset.period == 0 or self.step == self._preset.frames
        if due or (not self.traced and self.step - self.last_failure > RETRY_AFTER):
            return "dense"
        return "points" if self.n_rows else None

    def clip(self, episode: str) -> Clip:
        """The images for the tracker."""
        return Clip(episode, self.step - len(self._images), tuple(self._images))

    def queries(self) -> NDArray[np.float32]:
        """(5, 3): each point on the image before the last, at its last known position.

        After a failed dense call that position is one image older, since the failing step added none; so in the release.
        """
        when = np.full((POINTS, 1), self._preset.frames - 2, dtype=np.float32)
        return np.concatenate([when, self.rows[-1]], axis=1)

    def choose(self, grid: GridTracks) -> None:
        """A dense call came back: sample points among the moving ones, or note the failure and keep the old trace."""
        inside = ((grid.tracks >= 0) & (grid.tracks < BOUND)).all(axis=(0, 2))
        candidates = grid.tracks[:, inside & grid.usable]
        active = np.flatnonzero(activity(candidates) > ACTIVE_ABOVE)
        self.traced = len(active) > POINTS
        if not self.traced:
            self.last_failure, self.failed_active = self.step, len(active)
            return
        ids = self.random.choice(active, POINTS, replace=False)
        self.sampled = SampledPoints(len(active), ids)
        self.n_rows = len(candidates)
        self.rows.clear()
        self.rows.extend(candidates[:, ids])

    def append(self, positions: NDArray[np.float32]) -> None:
        """A point call came back: (5, 2), also while the trace is not drawn."""
        self.n_rows += 1
        self.rows.append(positions)


def activity(tracks: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) mean of |dx| + |dy| an image [px] of tracks (T, N, 2)."""
    steps = np.abs(np.diff(tracks, axis=0)).sum(axis=2)
    mean: NDArray[np.float32] = steps.mean(axis=0)
    return mean


class TraceProcessors:
    """The trace processors of all episodes of a policy, with one tracker between them."""

    def __init__(self, tracker: Tracker, preset: TracePreset) -> None:
        self._tracker = tracker
        self._preset = preset
        self.episodes: dict[str, EpisodeTrace] = {}
        """State of each episode that has begun and not ended."""

    def begin(self, episode: str, seed: int, window: int) -> None:
        """Begin an episode, or begin it anew. ``window``: positions drawn, unless the preset has its own."""
        self._tracker.forget(episode)
        self.episodes[episode] = EpisodeTrace(self._preset, seed, self._preset.window or window)

    def reset(self, episode: str) -> None:
        """Start over in the middle of an episode (its instruction changed); the random state goes on."""
        self._tracker.forget(episode)
        self._of(episode).zero()

    def step(self, images: Mapping[str, NDArray[np.uint8]]) -> dict[str, TraceResult]:
        """Process the next image, (256, 256, 3) RGB, of each episode named.

        The tracker is called at most twice, however many episodes there are: once for all grids, once for all points. What
        fails leaves no trace: the same images may be given again.
        """
        for image in images.values():
            if image.shape != (IMAGE_SIDE, IMAGE_SIDE, 3) or image.dtype != np.uint8:
                raise ValueError(f"a trace needs RGB images (256, 256, 3) uint8, not {image.shape} {image.dtype}")
        states = {episode: self._of(episode) for episode in images}
        before = {episode: state.copy() for episode, state in states.items()}
        try:
            return self._step(states, images)
        except BaseException:
            self.episodes.update(before)
            raise

    def _step(self, states: Mapping[str, EpisodeTrace], images: Mapping[str, NDArray[np.uint8]]) -> dict[str, TraceResult]:
        calls = {episode: state.see(images[episode]) for episode, state in states.items()}
        dense = [episode for episode, kind in calls.items() if kind == "dense"]
        if dense:
            clips = [states[episode].clip(episode) for episode in dense]
            for episode, grid in zip(dense, self._tracker.grid(clips, self._preset.grid), strict=True):
                states[episode].choose(grid)
        points = [episode for episode, kind in calls.items() if kind == "points"]
        if points:
            clips = [states[episode].clip(episode) for episode in points]
            queries = [states[episode].queries() for episode in points]
            for episode, positions in zip(points, self._tracker.points(clips, queries), strict=True):
                states[episode].append(positions)
        return {episode: _result(state, images[episode]) for episode, state in states.items()}

    def end(self, episode: str) -> None:
        """Forget an episode; also one that never began."""
        self._tracker.forget(episode)
        self.episodes.pop(episode, None)

    def _of(self, episode: str) -> EpisodeTrace:
        if episode not in self.episodes:
            raise KeyError(f"episode {episode} has not begun: call begin() before its first image")
        return self.episodes[episode]


def _result(state: EpisodeTrace, image: NDArray[np.uint8]) -> TraceResult:
    if not state.traced:
        return TraceResult(image, False)
    return TraceResult(draw_trace(image, np.stack(state.rows)), True)
