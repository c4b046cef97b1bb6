"""Our model against recordings of the released code."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from eval.cli import main
from eval.errors import UserError

pytest.importorskip("torch", reason="torch is not installed (make vla)")

from policies.phi3v.parity import compare_model

CASES = {
    "words and an image": ["B/openvla_1"],
    "a cache that crosses the rotary limit": ["A/text_cross_4093", "A/text_short"],
    "image processor": ["processor/pic_*"],
    "prompts": ["processor/prompts"],
    "tables and actions": ["rotary/*", "actions", "policy_traces/*"],
    "camera transforms": ["picture_path/*"],
}
CASES_WITH_PHOTOS = {
    "words and images": ["A/openvla_2", "A/tracevla_notrace", "B/tracevla_trace"],
    "batches": ["A/batch_mixed", "B/batch_mixed"],
    "crops": ["B/crops4_640x480"],
    "camera transforms": ["picture_path/s00*", "picture_path/s06*"],
}


@pytest.mark.parametrize("name", CASES)
def test_the_model_is_the_released_one(recordings: Path, name: str) -> None:
    report = compare_model(recordings, CASES[name])
    assert report.checks
    assert report.passed, [check for check in report.checks if not check.passed]


@pytest.mark.parametrize("name", CASES_WITH_PHOTOS)
def test_the_model_is_the_released_one_on_the_originals_images(bulk: Path, name: str) -> None:
    report = compare_model(bulk / "phi3v", CASES_WITH_PHOTOS[name])
    assert report.checks
    assert report.passed, [check for check in report.checks if not check.passed]


def test_a_changed_recording_is_a_miss(recordings: Path, tmp_path: Path) -> None:
    import numpy as np

    (tmp_path / "checkpoint").symlink_to(recordings / "checkpoint")
    with np.load(recordings / "actions.npz") as file:
        arrays = dict(file)
    arrays["all_ids_decoded"][7] += 1e-6
    np.savez(tmp_path / "actions.npz", **arrays)
    report = compare_model(tmp_path)
    assert [check.check for check in report.checks if not check.passed] == ["decoded"]


def test_the_big_model_is_left_out_and_that_is_said(bulk: Path, tmp_path: Path) -> None:
    for name in ("model_fullclip.json", "model_fullclip.npz", "actions.npz", "checkpoint"):
        (tmp_path / name).symlink_to(bulk / "phi3v" / name)
    report = compare_model(tmp_path)
    assert {check.key for check in report.checks} == {"actions"}
    assert "fullclip is left out" in report.notes[0]
    with pytest.raises(UserError, match=r"no key matches.*fullclip/weights"):
        compare_model(tmp_path, ["A/*"])


def test_a_folder_without_recordings_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no recordings"):
        compare_model(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        compare_model(tmp_path / "gone")


def test_the_verb_prints_the_report(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["parity", "model", str(recordings), "--only", "actions,rotary/*", "--json"])
    content = json.loads(capsys.readouterr().out)
    assert end.value.code == 0
    assert content["passed"]
    assert {check["key"] for check in content["checks"]} > {"actions"}


def test_without_torch_the_verb_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(self: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", load)
    with pytest.raises(SystemExit) as end:
        main(["parity", "model", str(tmp_path)])
    assert end.value.code == 2
    assert "make vla" in capsys.readouterr().err
