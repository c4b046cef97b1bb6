"""Replays a recorded run through our processor, with the recorded tracks in place of a tracker."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.parity.report import Check
from policies.trace.parity.recordings import Recorded
from policies.trace.presets import PRESETS
from policies.trace.processor import EpisodeTrace, TraceProcessors, TraceResult
from policies.trace.trackers import IMAGE_SIDE, Clip, GridTracks, TrackerDescription

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "call of each step": ("step", "call"),
    "has_trace": ("has_trace", "traced"),
    "same object returned": ("same_object",),
    "buffer rows": ("buffer_rows", "buffer_is_f64"),
    "last failed step": ("last_failed_step",),
    "frames held": ("frames_held",),
    "active points": ("n_active",),
    "drawn ids": ("id0", "id1", "id2", "id3", "id4"),
}
"""Check -> columns of the recorded table. Left out: ``pictures_kept`` counts a list that ours does not have, and
``n_colours`` what the comparison of pixels sees anyway."""

NEEDED = (
    "table", "table_columns", "call_kind", "call_frames", "call_video_sha256", "dense_tracks", "point_tracks",
    "point_queries", "trace_window", "overlay_label", "overlay_palette", "in_sha256", "out_sha256", "printed",
    "rng_after", "rng_pos_after",
)  # fmt: skip
"""Arrays of a recorded run."""


class _DivergedError(Exception):
    """Our processor made a call that the recording does not hold, so there are no tracks to go on with."""


class RecordedTracker:
    """Returns recorded tracks in call order, and keeps the calls' arguments."""

    name = "recorded"
    one_by_one = False

    def __init__(self, run: Recorded) -> None:
        self._kinds = run.arrays["call_kind"].tolist()
        self._tracks = {"dense": iter(run.arrays["dense_tracks"]), "points": iter(run.arrays["point_tracks"])}
        self.kinds: list[str] = []
        self.videos: list[str] = []
        """sha256 of each call's video as the original passes it on: (1, T, 3, H, W) float32."""
        self.lengths: list[int] = []
        self.queries: list[NDArray[np.float32]] = []

    def describe(self) -> TrackerDescription:
        """Its name alone: it appears in no run record."""
        return TrackerDescription(name=self.name)

    def grid(self, clips: Sequence[Clip], size: int) -> list[GridTracks]:
        """The next recorded dense call."""
        return [GridTracks(tracks, np.ones(tracks.shape[1], np.bool_)) for tracks in (self._next("dense", c) for c in clips)]

    def points(self, clips: Sequence[Clip], queries: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The next recorded point call."""
        self.queries += queries
        return [self._next("points", clip)[-1] for clip in clips]

    def forget(self, episode: str) -> None:
        """Nothing is kept."""

    def _next(self, kind: str, clip: Clip) -> NDArray[np.float32]:
        video = np.stack(clip.images).transpose(0, 3, 1, 2).astype(np.float32)
        self.videos.append(hashlib.sha256(video.tobytes()).hexdigest())
        self.lengths.append(len(clip.images))
        self.kinds.append(kind)
        if self._kinds[len(self.kinds) - 1 : len(self.kinds)] != [kind]:
            raise _DivergedError
        tracks: NDArray[np.float32] = next(self._tracks[kind])
        return tracks


def replay_checks(run: Recorded) -> list[Check]:
    """All recorded values of a run, compared without tolerance."""
    run.need(*NEEDED)
    images = run.images()
    replayed = _Replay(run)
    replayed.play(images)
    checks = [_wrong(run, "input pictures", _hashes(images), run.arrays["in_sha256"].tolist())]
    checks += replayed.checks(images)
    return checks


class _Replay:
    """One episode, and the values to compare afterwards."""

    def __init__(self, run: Recorded) -> None:
        self._run = run
        self._tracker = RecordedTracker(run)
        self._processors = TraceProcessors(self._tracker, PRESETS["released"])
        self._processors.begin(run.name, run.meta["np_random_seed"], run.meta["window_size"])
        self._state = self._processors.episodes[run.name]
        self._rows: list[dict[str, int]] = []
        self._failures: list[int] = []
        self._windows: list[NDArray[np.float32]] = []
        self._images: list[NDArray[np.uint8]] = []

    def play(self, images: Sequence[NDArray[np.uint8]]) -> None:
        """All images, up to the first step at which there is no recorded call."""
        name = self._run.name
        for t, image in enumerate(images):
            if t in self._run.meta["resets"]:
                self._processors.reset(name)
            calls = len(self._tracker.kinds)
            try:
                result = self._processors.step({name: image})[name]
            except _DivergedError:
                return
            called = calls if len(self._tracker.kinds) > calls else -1
            self._rows.append(_table_row(self._state, result, image, called))
            self._failures.append(-1 if self._state.failed_active is None else self._state.failed_active)
            self._windows += self._state.rows
            self._images.append(result.image)

    def checks(self, images: Sequence[NDArray[np.uint8]]) -> list[Check]:
        """Ours against the recording."""
        run, arrays, tracker = self._run, self._run.arrays, self._tracker
        recorded = run.table()
        printed = [re.search(r"active points:\s*(\d+)", text) for text in arrays["printed"].tolist()]
        state = self._state.random.get_state(legacy=False)["state"]
        checks = [
            _wrong(run, "call kinds", tracker.kinds, arrays["call_kind"].tolist()),
            _wrong(run, "call lengths", tracker.lengths, arrays["call_frames"].tolist()),
            _wrong(run, "tracker videos", tracker.videos, arrays["call_video_sha256"].tolist()),
            _apart(run, "point queries", tracker.queries, arrays["point_queries"]),
        ]
        for check, columns in COLUMNS.items():
            ours = [tuple(row[column] for column in columns) for row in self._rows]
            theirs = zip(*(recorded[column].tolist() for column in columns), strict=True)
            checks.append(_wrong(run, check, ours, theirs))
        return [
            *checks,
            _wrong(run, "active points of failed calls", self._failures, [int(f[1]) if f else -1 for f in printed]),
            _apart(run, "trace window", self._windows, arrays["trace_window"]),
            _wrong(run, "returned pictures", _hashes(self._images), arrays["out_sha256"].tolist()),
            self._pixels(images),
            _wrong(
                run, "random state after", [*state["key"][:8].tolist(), state["pos"]],
                [*arrays["rng_after"].tolist(), int(arrays["rng_pos_after"])],
            ),
        ]  # fmt: skip

    def _pixels(self, images: Sequence[NDArray[np.uint8]]) -> Check:
        """Number of pixels that differ: how far a wrong image is off."""
        labels, palettes = self._run.arrays["overlay_label"], self._run.arrays["overlay_palette"]
        wrong = (len(images) - len(self._images)) * labels[0].size
        for returned, image, label, palette in zip(self._images, images, labels, palettes, strict=False):
            covered = label > 0
            expected = image.copy()
            expected[covered] = palette[label[covered] - 1]
            wrong += int((returned != expected).any(axis=-1).sum())
        return Check(self._run.name, "pixels of returned pictures", float(wrong), 0.0, "wrong", labels.size)


def _table_row(state: EpisodeTrace, result: TraceResult, image: NDArray[np.uint8], called: int) -> dict[str, int]:
    """Our state in the columns of the recorded table; -1 where there is nothing."""
    ids = state.sampled.ids.tolist() if state.sampled else [-1] * 5
    return {
        "step": state.step,
        "call": called,
        "has_trace": int(result.has_trace),
        "traced": int(state.traced),
        "same_object": int(result.image is image),
        "buffer_rows": state.n_rows or -1,
        "buffer_is_f64": int(state.rows[-1].dtype != np.float32) if state.n_rows else -1,
        "last_failed_step": state.last_failure,
        "frames_held": state.frames_held,
        "n_active": state.sampled.active if state.sampled else -1,
        **{f"id{i}": chosen for i, chosen in enumerate(ids)},
    }


def _hashes(images: Iterable[NDArray[np.uint8]]) -> list[str]:
    return [hashlib.sha256(image.tobytes()).hexdigest() for image in images]


def _wrong(run: Recorded, check: str, ours: Iterable[object], theirs: Iterable[object]) -> Check:
    """Number of entries that differ; what one side has too many of differs as well."""
    left, right = list(ours), list(theirs)
    different = sum(a != b for a, b in zip(left, right, strict=False)) + abs(len(left) - len(right))
    return Check(run.name, check, float(different), 0.0, "wrong", len(right))


def _apart(run: Recorded, check: str, ours: Sequence[NDArray[np.float32]], theirs: NDArray[np.float32]) -> Check:
    """Largest distance in any coordinate; at least an image's width if the number of entries differs."""
    both = min(len(ours), len(theirs))
    worst = float(np.abs(np.stack(ours[:both]) - theirs[:both]).max()) if both else 0.0
    if len(ours) != len(theirs):
        worst = max(worst, float(IMAGE_SIDE))
    return Check(run.name, check, worst, 0.0, "px", theirs.size)
