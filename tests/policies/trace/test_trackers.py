"""The built-in tracker on known motion, and the choice between trackers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.errors import UserError
from policies.trace import PRESETS, Clip, TraceProcessors, make_tracker
from policies.trace.synthetic import KINDS, centres, synthetic_image
from policies.trace.trackers import grid_points

GRID = 30


def clip(kind: str, seed: int, first: int = 0) -> Clip:
    return Clip("a", first, tuple(synthetic_image(kind, seed, t) for t in range(first, first + 10)))


def well_inside(kind: str, disc: int, points: NDArray[np.float32], t: int) -> NDArray[np.bool_]:
    """Points at least 6 px inside a disc of image ``t``."""
    distance = np.linalg.norm(points - np.array(centres(kind, t)[disc]), axis=1)
    inside: NDArray[np.bool_] = distance < KINDS[kind][0][disc] - 6
    return inside


@pytest.mark.parametrize(("kind", "disc"), [("three", 0), ("two", 0), ("two", 1), ("leave", 0), ("leave", 1)])
def test_grid_points_go_where_the_thing_below_them_goes(kind: str, disc: int) -> None:
    """3 to 6 px an image, over nine steps."""
    result = make_tracker("lucas_kanade", None, "cpu").grid([clip(kind, 21)], GRID)[0]
    assert result.tracks.shape == (10, GRID * GRID, 2)
    on = well_inside(kind, disc, result.tracks[0], 0) & result.usable
    way = np.subtract(centres(kind, 9)[disc], centres(kind, 0)[disc])
    missed = np.linalg.norm(result.tracks[9] - result.tracks[0] - way, axis=1)[on]
    assert on.sum() >= 0.8 * well_inside(kind, disc, result.tracks[0], 0).sum() > 0
    assert np.median(missed) < 0.05
    assert missed.max() < 0.2


def test_what_stands_still_is_not_taken_for_moving() -> None:
    result = make_tracker("lucas_kanade", None, "cpu").grid([clip("still", 13)], GRID)[0]
    assert result.usable.all()
    assert np.abs(result.tracks - result.tracks[0]).max() < 0.01


def test_points_are_followed_from_the_image_before_the_last() -> None:
    images = clip("leave", 21)
    start = np.array(centres("leave", 8), np.float32)
    queries = np.concatenate([np.full((2, 1), 8, np.float32), start], axis=1)
    positions = make_tracker("lucas_kanade", None, "cpu").points([images], [queries])[0]
    assert np.abs(positions - np.array(centres("leave", 9))).max() < 0.05


def test_a_point_that_is_lost_keeps_its_place() -> None:
    """Outside the image, and covered by something else in the last image."""
    images = clip("leave", 21)
    covered = images.images[-1].copy()
    covered[:, :80] = synthetic_image("two", 99, 0)[:, 100:180]
    cut = Clip("a", 0, (*images.images[:9], covered))
    queries = np.array([[8, -40, 300], [8, 50, 60]], np.float32)
    positions = make_tracker("lucas_kanade", None, "cpu").points([cut], [queries])[0]
    assert np.array_equal(positions, queries[:, 1:])


def test_many_clips_at_once_are_tracked_as_each_alone() -> None:
    clips = [clip(kind, seed) for seed, kind in enumerate(("three", "two", "leave", "few"))]
    queries = [np.array([[8, 50 + seed, 70], [8, 180, 160 - seed]], np.float32) for seed in range(4)]
    tracker = make_tracker("lucas_kanade", None, "cpu")
    for one, asked, positions, grid in zip(clips, queries, tracker.points(clips, queries), tracker.grid(clips, 6), strict=True):
        assert np.array_equal(positions, tracker.points([one], [asked])[0])
        assert np.array_equal(grid.tracks, tracker.grid([one], 6)[0].tracks)


def test_a_whole_episode_gets_a_trace_on_the_moving_things() -> None:
    processors = TraceProcessors(make_tracker("lucas_kanade", None, "cpu"), PRESETS["released"])
    processors.begin("a", 1, 15)
    ends = []
    for t in range(40):
        result = processors.step({"a": synthetic_image("two", 12, t)})["a"]
        assert result.has_trace == (t >= 9)
        if result.has_trace:
            ends.append(min(_to_a_disc("two", t, end) for end in processors.episodes["a"].rows[-1]))
    assert max(ends) < 1.0


def _to_a_disc(kind: str, t: int, point: NDArray[np.float32]) -> float:
    """Pixels from a point to the nearest disc, 0 inside."""
    radii, _ = KINDS[kind]
    both = zip(radii, centres(kind, t), strict=True)
    return min(max(0.0, float(np.linalg.norm(point - np.array(centre))) - radius) for radius, centre in both)


def test_the_grid_is_cotrackers_grid() -> None:
    points = grid_points(30)
    assert points.shape == (900, 2)
    np.testing.assert_allclose(points[0], [3.992, 5.326], atol=1e-3)
    np.testing.assert_allclose(points[-1], [251.507, 250.339], atol=1e-3)
    assert points[0, 1] == points[29, 1]  # row by row


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Pretend that the package is, or is not, there."""
    real = importlib.util.find_spec

    def pretend(there: bool) -> None:
        def find(name: str, package: str | None = None) -> object:
            return (object() if there else None) if name == "cotracker" else real(name, package)

        monkeypatch.setattr(importlib.util, "find_spec", find)

    return pretend


def test_auto_without_a_checkpoint_is_optical_flow_and_says_why(installed: Callable[[bool], None]) -> None:
    for there in (True, False):
        installed(there)
        described = make_tracker("auto", None, "cpu").describe()
        assert described.name == "lucas_kanade"
        assert described.details["why"] == "no tracker checkpoint was given"
        assert "not CoTracker's" in str(described.details["note"])


def test_a_checkpoint_that_was_given_is_used_or_refused(installed: Callable[[bool], None], tmp_path: Path) -> None:
    checkpoint = tmp_path / "scaled_offline.pth"
    checkpoint.touch()
    installed(False)
    with pytest.raises(UserError, match=r"--tracker-checkpoint needs the package cotracker: pip install"):
        make_tracker("auto", checkpoint, "cpu")
    with pytest.raises(UserError, match=r"--tracker cotracker needs the package cotracker: pip install"):
        make_tracker("cotracker", checkpoint, "cpu")
    with pytest.raises(UserError, match="lucas_kanade has no use for --tracker-checkpoint"):
        make_tracker("lucas_kanade", checkpoint, "cpu")
    pytest.importorskip("torch", reason="torch is not installed (make vla)")
    installed(True)
    with pytest.raises(UserError, match="is not a plain state dict"):
        make_tracker("auto", checkpoint, "cpu")


def test_what_is_missing_is_one_line(installed: Callable[[bool], None], tmp_path: Path) -> None:
    installed(False)
    with pytest.raises(UserError, match=r"pip install git\+https.*CC-BY-NC"):
        make_tracker("cotracker", None, "cpu")
    installed(True)
    with pytest.raises(UserError, match="needs its checkpoint"):
        make_tracker("cotracker", None, "cpu")
    with pytest.raises(UserError, match="does not exist"):
        make_tracker("auto", tmp_path / "nowhere.pth", "cpu")
    with pytest.raises(UserError, match='--tracker "raft" is unknown'):
        make_tracker("raft", None, "cpu")  # type: ignore[arg-type]
