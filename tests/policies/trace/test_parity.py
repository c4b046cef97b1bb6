"""The trace processor against recorded runs of the original, alone and with its episodes mixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from recordings import SHARED, golden, needs_bulk

from eval.errors import UserError
from policies.trace import PRESETS, Clip, GridTracks, TraceProcessors
from policies.trace.parity import compare_trace
from policies.trace.parity.recordings import Recorded, read
from policies.trace.parity.run_replay import RecordedTracker

FOLDER = golden("trace")


@pytest.mark.parametrize("folder", [FOLDER, pytest.param(SHARED / "trace", marks=needs_bulk)], ids=["golden", "bulk"])
def test_every_recorded_run_comes_out_exactly(folder: Path) -> None:
    report = compare_trace(folder, ["stub_*"])
    runs = {path.stem for path in (folder / "runs").glob("stub_*.npz")}
    assert [check for check in report.checks if not check.passed] == []
    assert {check.key for check in report.checks} == runs
    assert len(runs) >= 5
    assert {check.limit for check in report.checks} == {0.0}
    pixels = [check.n for check in report.checks if check.unit == "wrong" and check.n > 1_000_000]
    assert len(pixels) == len(runs), "every run is compared pixel by pixel"


class RouteToRecordings:
    """A tracker for many recorded episodes at once."""

    name = "recorded"

    def __init__(self, runs: Mapping[str, Recorded]) -> None:
        self.trackers = {name: RecordedTracker(run) for name, run in runs.items()}
        self.most_clips = 0

    def describe(self) -> Mapping[str, Any]:
        return {}

    def grid(self, clips: Sequence[Clip], size: int) -> list[GridTracks]:
        return [self.trackers[clip.episode].grid([clip], size)[0] for clip in clips]

    def points(self, clips: Sequence[Clip], queries: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        self.most_clips = max(self.most_clips, len(clips))
        both = zip(clips, queries, strict=True)
        return [self.trackers[clip.episode].points([clip], [query])[0] for clip, query in both]

    def forget(self, episode: str) -> None:
        pass


def test_episodes_mixed_in_any_way_give_the_same_as_alone() -> None:
    names = ["stub_few_w15", "stub_leave_w15", "stub_reset_w15", "stub_two_w10"]
    runs = {name: read(FOLDER / "runs" / f"{name}.npz") for name in names}
    images = {name: run.images()[:60] for name, run in runs.items()}
    tracker = RouteToRecordings(runs)
    processors = TraceProcessors(tracker, PRESETS["released"])
    done = dict.fromkeys(names, 0)
    mixing = np.random.default_rng(5)
    for name, run in runs.items():
        processors.begin(name, run.meta["np_random_seed"], run.meta["window_size"])
    while any(done[name] < len(images[name]) for name in names):
        now = [name for name in names if done[name] < len(images[name]) and mixing.random() < 0.8]
        mixing.shuffle(now)
        for name in now:
            if done[name] in runs[name].meta["resets"]:
                processors.reset(name)
        results = processors.step({name: images[name][done[name]] for name in now})
        for name in now:
            sha = hashlib.sha256(results[name].image.tobytes()).hexdigest()
            assert sha == runs[name].arrays["out_sha256"][done[name]], (name, done[name])
            done[name] += 1
    assert tracker.most_clips > 2


def test_a_run_that_goes_another_way_fails_a_check_and_raises_nothing(tmp_path: Path) -> None:
    """Another seed and another call: what follows from it differs too, and every image that is missing counts."""
    with np.load(FOLDER / "runs" / "stub_two_w10.npz") as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(str(arrays["meta"]))
    arrays["meta"] = np.array(json.dumps({**meta, "np_random_seed": meta["np_random_seed"] + 1}))
    arrays["call_kind"] = arrays["call_kind"].copy()
    arrays["call_kind"][41] = "dense"
    (tmp_path / "runs").mkdir()
    np.savez(tmp_path / "runs" / "changed.npz", **arrays)
    report = compare_trace(tmp_path)
    missed = {check.check: check.worst for check in report.checks if not check.passed}
    assert missed["drawn ids"] >= 2
    assert missed["call kinds"] > 30
    assert missed["pixels of returned pictures"] > 30 * 256 * 256
    assert not report.passed


def test_a_folder_without_runs_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no recorded trace runs"):
        compare_trace(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        compare_trace(tmp_path / "nowhere")


def test_an_empty_comparison_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cotracker_calls.npz").touch()
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    with pytest.raises(UserError, match=r"nothing could be compared\. cotracker_calls: .* torch is not installed"):
        compare_trace(tmp_path)


def test_a_broken_recording_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "half.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(UserError, match="cannot be read"):
        compare_trace(tmp_path)
