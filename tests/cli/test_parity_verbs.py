"""Verbs that compare, measure and look: lines for a reader, JSON for a program, and the exit code of the verdict."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from recordings import golden

Cli = Callable[..., tuple[int, str, str]]
TRACE = ("parity", "trace", golden("trace"), "--only", "stub_stopgo_w10")


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A folder of recordings in which the robots' inverse kinematics answered otherwise."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    shutil.copy(golden("parity/controller.json"), folder)
    with np.load(golden("parity/controller.npz")) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["google/ik.result"] = arrays["google/ik.result"] + np.float32(0.01)
    np.savez(folder / "controller.npz", **arrays)
    return folder


def test_a_comparison_that_passes_is_a_line_a_check_and_exit_code_0(cli: Cli) -> None:
    code, out, err = cli(*TRACE)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) > 10
    assert all(line.startswith("ok     stub_stopgo_w10 ") and "(limit 0)" in line for line in lines)


def test_the_same_for_a_program(cli: Cli) -> None:
    code, out, _ = cli(*TRACE, "--json")
    content = json.loads(out)
    assert (code, content["passed"]) == (0, True)
    assert {check["key"] for check in content["checks"]} == {"stub_stopgo_w10"}


def test_a_miss_is_marked_and_exits_with_1(cli: Cli, changed: Path, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "world.html"
    code, out, _ = cli("parity", "world", changed, "--html", page)
    assert code == 1
    missed = [line for line in out.splitlines() if line.startswith("MISSED")]
    assert len(missed) == 1
    assert "IK: joints where both succeed" in missed[0]
    assert "0.01" in missed[0]
    assert out.splitlines()[-1] == str(page)
    assert "MISSED" in page.read_text()


@pytest.mark.parametrize("verb", ["world", "images", "trace"])
def test_a_folder_that_is_none_is_one_line(cli: Cli, verb: str, tmp_path: Path) -> None:
    code, out, err = cli("parity", verb, tmp_path / "nowhere")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1


def test_the_doctor_reports_to_a_program(cli: Cli) -> None:
    code, out, _ = cli("doctor", "--json")
    content = json.loads(out)
    assert code == (0 if content["passed"] else 1)
    assert {"python", "vulkan"} <= {check["name"].lower().split()[0] for check in content["checks"]}


def test_files_of_a_pack_are_listed_with_their_state(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMPLER_EVAL_ASSETS", raising=False)
    _, out, _ = cli("assets", "check", "--suite", "widowx_visual_matching")
    lines = out.splitlines()
    assert f"{len(lines) - 1} files: " in lines[-1]
    _, text, _ = cli("assets", "check", "--suite", "widowx_visual_matching", "--json")
    content = json.loads(text)
    assert [file["name"] for file in content["files"]] == [line[10:].split("  ")[0] for line in lines[:-1]]
    assert sum(content["counts"].values()) == len(content["files"])


def test_lists_and_plans_are_tables_for_a_reader(cli: Cli) -> None:
    code, out, _ = cli("list")
    assert code == 0
    for word in ("widowx_carrot_on_plate", "variant_aggregation", "google_robot_visual_matching", "Policies (--policy):"):
        assert word in out
    code, out, _ = cli("plan", "--task", "widowx_carrot_on_plate", "--shard", "1/4")
    assert code == 0
    assert out.splitlines()[0].strip() == "6 episodes, at most 360 control steps and about 96 kB on disk"
    code, out, _ = cli("plan", "--suite", "everything")
    assert code == 0
    assert out.startswith("5,530 episodes, ")
    assert len(out.splitlines()) < 80, "a row a task, not one of each of 300 variants"
