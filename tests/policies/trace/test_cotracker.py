"""The tracker ``cotracker``: what is refused as its checkpoint, and that batches and kept features change nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.errors import UserError
from policies.trace import Clip
from policies.trace.synthetic import synthetic_image

torch = pytest.importorskip("torch", reason="the extra vla (torch) is not installed")


def refused(path: Path) -> str:
    from policies.trace.cotracker import load_cotracker

    with pytest.raises(UserError) as caught:
        load_cotracker(path, "cpu")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


class Mark:
    """Unpickling it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_a_file_that_is_no_plain_state_dict_is_refused_and_nothing_in_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "tracker.pth"
    torch.save({"model": Mark(tmp_path / "mark")}, path)
    assert "not a plain state dict" in refused(path)
    assert not (tmp_path / "mark").exists()
    torch.save({"weight": torch.zeros(2), "scale": np.float64(2.0)}, path)
    assert "not a plain state dict" in refused(path)
    torch.save({"epoch": 3}, path)
    assert "must map names to tensors" in refused(path)
    torch.save({}, path)
    assert "must map names to tensors" in refused(path)
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "not a plain state dict" in refused(path)


@pytest.fixture(scope="module")
def weights() -> Iterator[dict[str, Any]]:
    pytest.importorskip("cotracker", reason="the package cotracker is not installed (non-commercial licence; user's own)")
    from policies.trace.cotracker import template
    from policies.trace.parity.formula_weights import formula_weights

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield formula_weights(template(), 7)
    torch.set_num_threads(threads)


class Calls:
    """In place of what replays a function on a GPU."""

    failure = None

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function = function

    def __call__(self, *inputs: Any) -> Any:
        return self.function(*inputs)

    def clear(self) -> None:
        """Nothing is recorded."""


def test_names_shapes_types_and_time_embedding_are_checked(weights: dict[str, Any]) -> None:
    from policies.trace.cotracker import CoTracker

    name = "updateformer.virual_tracks"
    for changed, said in [
        ({key: value for key, value in weights.items() if key != name}, f"lacks {name}"),
        ({**weights, "zzz": torch.zeros(1)}, "unexpected zzz"),
        ({**weights, name: weights[name][:, :3]}, f"{name} is"),
        ({**weights, name: weights[name].half()}, "float16"),
        ({**weights, "time_emb": weights["time_emb"][:, :16]}, "time_emb is"),
        ({**weights, "time_emb": weights["time_emb"] + 0.1}, "sines and cosines"),
    ]:
        with pytest.raises(UserError, match=said):
            CoTracker(changed, "cpu", source="test")


def test_both_layouts_load(weights: dict[str, Any], tmp_path: Path) -> None:
    from policies.trace.cotracker import load_cotracker

    descriptions = []
    for layout in (weights, {"model": weights}):
        torch.save(layout, tmp_path / "scaled_offline.pth")
        descriptions.append(load_cotracker(tmp_path / "scaled_offline.pth", "cpu").describe())
    assert descriptions[0].weights != descriptions[1].weights
    assert {described.name for described in descriptions} == {"cotracker"}


def test_the_callers_random_state_is_left_alone(weights: dict[str, Any]) -> None:
    """In a fresh process, since the package seeds torch when it is imported first."""
    code = (
        "import torch; torch.manual_seed(5); torch.rand(1); state = torch.get_rng_state();"
        "from policies.trace.cotracker import template; template();"
        "raise SystemExit(not torch.equal(state, torch.get_rng_state()))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0


def test_batches_and_kept_features_give_what_the_predictor_gives(weights: dict[str, Any]) -> None:
    """Two episodes, three images each; the second call finds two of the three encoded."""
    from cotracker.predictor import CoTrackerPredictor

    from policies.trace.cotracker import CoTracker

    predictor = CoTrackerPredictor(checkpoint=None, offline=True, window_len=60)
    predictor.model.load_state_dict(weights)
    tracker = CoTracker(weights, "cpu", source="test")
    both = {"three": np.array([[1, 50, 70], [1, 180, 160], [1, 20, 30], [1, 128, 200], [1, 90, 90]], np.float32)}
    both["leave"] = both["three"] + np.array([0, 3, 3], np.float32)
    for first in (0, 1):
        clips = [Clip(kind, first, tuple(synthetic_image(kind, 31, t) for t in range(first, first + 3))) for kind in both]
        for clip, own in zip(clips, tracker.point_tracks(clips, list(both.values())), strict=True):
            video = torch.from_numpy(np.stack(clip.images)).permute(0, 3, 1, 2)[None].float()
            theirs, _ = predictor(video, queries=torch.from_numpy(both[clip.episode])[None])
            assert np.abs(own - theirs[0].numpy()).max() < 1e-3
    assert tracker.kept == {"three": 3, "leave": 3}
    tracker.forget("three")
    assert tracker.kept == {"leave": 3}


def test_products_in_three_parts_move_no_point_by_a_thousandth_of_a_pixel(
    weights: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, computed on the CPU."""
    from policies.trace import three_products
    from policies.trace.cotracker import CoTracker

    clips = [Clip("a", 0, tuple(synthetic_image("three", 31, t) for t in range(2)))]
    queries = [np.array([[0, 50, 70], [0, 180, 160], [0, 20, 30], [0, 128, 200], [0, 90, 90]], np.float32)]
    plain = CoTracker(weights, "cpu", source="test").point_tracks(clips, queries)[0]
    monkeypatch.setattr(three_products, "why_not", lambda device: None)
    tracker = CoTracker(weights, "cpu", source="test")
    assert "three for each of float32" in str(tracker.describe().details["dtype"])
    split = tracker.point_tracks(clips, queries)[0]
    assert 0 < np.abs(split - plain).max() < 1e-3
    assert np.abs(plain[1] - plain[0]).max() > 0.1  # there is motion that could be missed


def test_short_memory_means_fewer_clips_a_call_and_the_same_tracks(
    weights: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from policies.trace.cotracker import CoTracker

    tracker = CoTracker(weights, "cpu", source="test")
    calls: list[int] = []

    def updates(places: Any, queries: Any) -> Any:
        calls.append(len(places))
        if len(places) > 2:
            raise torch.cuda.OutOfMemoryError("full")
        return queries[:, :, None, 1:].repeat(1, 1, places.shape[1], 1)

    monkeypatch.setattr(tracker, "_replayed", Calls(updates))
    monkeypatch.setattr(tracker._features, "places", lambda clips: np.zeros((len(clips), 2), np.int64))
    queries = [np.array([[0, 10 * i, 20], [1, 30, 5]], np.float32) for i in range(5)]
    tracks = tracker.point_tracks([Clip(str(i), 0, ()) for i in range(5)], queries)
    assert calls == [5, 2, 2, 1]
    assert len(tracks) == 5
    for own, asked in zip(tracks, queries, strict=True):
        assert np.abs(own - asked[None, :, 1:]).max() < 1e-4
    assert "points_at_once" in tracker.describe().details


def test_with_fixed_shapes_a_track_has_the_same_bits_whatever_is_beside_it(weights: dict[str, Any]) -> None:
    from policies.trace.cotracker import CoTracker

    tracker = CoTracker(weights, "cpu", source="test", fixed_shapes=True)
    clips = [Clip(kind, 0, tuple(synthetic_image(kind, 31, t) for t in range(2))) for kind in ("three", "two")]
    queries = [np.array([[0, 50, 70], [0, 180, 160]], np.float32), np.array([[1, 20, 30], [0, 90, 90]], np.float32)]
    both = tracker.point_tracks(clips, queries)
    for episode in ("three", "two"):
        tracker.forget(episode)
    alone = tracker.point_tracks(clips[1:], queries[1:])
    assert np.array_equal(both[1], alone[0])


def test_a_gpu_that_is_not_there_is_one_line(weights: dict[str, Any]) -> None:
    from policies.trace.cotracker import CoTracker

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match="sees no GPU"):
        CoTracker(weights, "cuda", source="test")
