"""The tracker ``cotracker`` itself against recorded calls of the original predictor. Imports torch when called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError
from eval.parity.report import Check
from policies.trace.parity.formula_weights import formula_weights
from policies.trace.parity.recordings import FRAMES, GRID, Recorded
from policies.trace.processor import ACTIVE_ABOVE, activity
from policies.trace.synthetic import synthetic_image
from policies.trace.trackers import Clip

if TYPE_CHECKING:
    from policies.trace.cotracker import CoTracker

TRACK_LIMIT = 1e-3
"""Pixels; rounding alone makes about 5e-5."""
FEATURE_LIMIT = 1e-4
"""Relative to the largest feature."""
ACTIVITY_MARGIN = 0.01
"""Pixels a step: nearer to the limit, whether a point counts as moving is a matter of rounding."""


def formula_tracker(seed: int) -> CoTracker:
    """CoTracker on the CPU with weights by formula."""
    from policies.trace.cotracker import CoTracker, template

    return CoTracker(formula_weights(template(), seed), "cpu", source=f"weights by formula, seed {seed}")


def call_checks(calls: Recorded) -> list[Check]:
    """One point call and one dense call of the same video."""
    calls.need("fnet_slice", "point_queries", "point_tracks", "dense_tracks")
    rule = re.search(r"picture\('(\w+)', (\d+), t\)", calls.meta["video"])
    seed = calls.weights_seed()
    if rule is None or seed is None:
        raise UserError(f"{calls.name}: its video and its weights are not given by a rule that is known here.")
    tracker = formula_tracker(seed)
    clip = Clip(calls.name, 0, tuple(synthetic_image(rule[1], int(rule[2]), t) for t in range(FRAMES)))
    arrays = calls.arrays
    features = tracker.features(clip).numpy()[:, :, ::16, ::16]
    apart = float(np.abs(features - arrays["fnet_slice"]).max() / np.abs(arrays["fnet_slice"]).max())
    points = tracker.point_tracks([clip], [arrays["point_queries"][0]])[0]
    dense = tracker.grid([clip], GRID)[0].tracks
    return [
        Check(calls.name, "encoder features", apart, FEATURE_LIMIT, "of the largest", features.size),
        _tracks(calls.name, "tracks of a point call", [points], arrays["point_tracks"]),
        _tracks(calls.name, "tracks of a dense call", [dense], arrays["dense_tracks"]),
    ]


def run_checks(run: Recorded) -> list[Check]:
    """Every call of a run that was recorded with weights by formula, in order, with features kept between calls."""
    seed = run.weights_seed()
    assert seed is not None  # the caller chose the run by it
    tracker = formula_tracker(seed)
    points, dense = [], []
    queries = iter(run.arrays["point_queries"])
    for kind, clip in _calls(run):
        if kind == "dense":
            dense.append(tracker.grid([clip], GRID)[0].tracks)
        else:
            points.append(tracker.point_tracks([clip], [next(queries)])[0])
    theirs = run.arrays["dense_tracks"]
    return [
        _tracks(run.name, "tracker: point calls", points, run.arrays["point_tracks"]),
        _tracks(run.name, "tracker: dense calls", dense, theirs),
        Check(
            run.name, "tracker: moving points, but for marginal ones", float(_differently_active(dense, theirs)), 0.0,
            "wrong", theirs.shape[0] * theirs.shape[2],
        ),
    ]  # fmt: skip


def _calls(run: Recorded) -> Iterator[tuple[str, Clip]]:
    """Kind and clip of each recorded call."""
    images = run.images()
    begin = 0
    kinds = run.arrays["call_kind"].tolist()
    for t, call in enumerate(run.table()["call"].tolist()):
        if t in run.meta["resets"]:
            begin = t
        if call >= 0:
            first = max(begin, t + 1 - FRAMES)
            yield kinds[call], Clip(run.name, first, tuple(images[first : t + 1]))


def _tracks(key: str, check: str, ours: list[NDArray[np.float32]], theirs: NDArray[np.float32]) -> Check:
    worst = float(np.abs(np.stack(ours) - theirs).max()) if ours else 0.0
    return Check(key, check, worst, TRACK_LIMIT, "px", theirs.size)


def _differently_active(ours: list[NDArray[np.float32]], theirs: NDArray[np.float32]) -> int:
    wrong = 0
    for own, recorded in zip(ours, theirs, strict=True):
        a, b = activity(own), activity(recorded)
        sure = np.abs(b - ACTIVE_ABOVE) > ACTIVITY_MARGIN
        wrong += int((((a > ACTIVE_ABOVE) != (b > ACTIVE_ABOVE)) & sure).sum())
    return wrong
