"""The tracker ``cotracker``: what is refused as its checkpoint, and that batches and kept features change nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
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
            CoTracker(changed, "cpu", {})


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
    assert {len(kept) for kept in tracker._kept.values()} == {3}
    tracker.forget("three")
    assert set(tracker._kept) == {"leave"}


def test_a_gpu_that_is_not_there_is_one_line(weights: dict[str, Any]) -> None:
    from policies.trace.cotracker import CoTracker

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match="sees no GPU"):
        CoTracker(weights, "cuda", source="test")
