"""The scripts of docs/training.md, walked from the first step to the last with a tiny model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from page_shell import Shell, line

pytest.importorskip("torch", reason="torch is not installed (make vla)")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")

REPO = Path(__file__).parents[2]
TINY = {
    "COUNT": "2", "ROUND": "1", "STEPS": "2", "MORE": "1", "BATCH": "2", "JUDGED": "1", "CURVE": "1", "DEVICE": "cpu",
    "INIT": "tiny", "HELD_OUT": "0", "OMP_NUM_THREADS": "1", "RUN": f"{sys.executable} -m simpler_eval",
    "PYTHON": sys.executable, "PYTHONPATH": str(REPO),
}  # fmt: skip


def call(script: str, *steps: object, **settings: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **TINY, **{name: str(value) for name, value in settings.items()}}
    command = ["bash", str(REPO / "docs/training" / script), *map(str, steps)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_step_without_what_it_needs_and_one_without_time_say_so(tmp_path: Path) -> None:
    early = call("loop.sh", "train", FOLDER=tmp_path)
    assert (early.returncode, "begin with: loop.sh record" in early.stderr) == (2, True)
    assert call("question.sh", "next", FOLDER=tmp_path).returncode == 2
    late = call("loop.sh", "record", FOLDER=tmp_path, MINUTES=0)
    assert (late.returncode, "call this step again" in late.stderr) == (75, True)
    assert "keep DIR" in call("loop.sh", FOLDER=tmp_path).stdout


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """In a folder that has the scripts where the pages have them."""
    (tmp_path / "docs").symlink_to(REPO / "docs")
    settings = {name: value for name, value in TINY.items() if name not in ("RUN", "PYTHON", "PYTHONPATH")}
    return Shell(tmp_path, **settings, ARGS="--workers 1")


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_the_loop_from_demonstrations_to_a_judged_model(shell: Shell) -> None:
    """docs/training.md."""
    for begins in ("loop.sh record ", "loop.sh improve ", "loop.sh round", "loop.sh curve"):
        shell.run(line("docs/training.md", f"docs/training/{begins}"))
    loop, kept = shell.folder / "results/loop", shell.folder / "results/kept"
    lines = results(loop)
    assert [line["step"] for line in lines[:5]] == ["demos", "train-0", "dagger-0", "train-1", "judged-train-1"]
    assert {line["step"] for line in lines[5:7]} == {"dagger-1", "train-2"}
    points = lines[7]["said"]["points"]
    assert [(point["step"], point["n"]) for point in points] == [(2, 1), (1, 1), (1, 1)], "every training, in their order"
    assert (loop / "curve/checkpoints.png").is_file()
    assert lines[2]["said"]["played"] == 1
    assert lines[4]["said"]["rows"][0]["n"] == 1
    record = json.loads((loop / "train-1/checkpoint-1/training.json").read_text())
    assert [each["episodes"] for each in record["datasets"]] == [lines[0]["said"]["successes"], 1]
    assert (loop / "dagger-1.model").read_text().strip().endswith("train-1/checkpoint-1")
    record = json.loads((loop / "train-2/checkpoint-1/training.json").read_text())
    assert len(record["datasets"]) == 2, "what was played at the same time is for the next round"
    assert results(kept) == lines[:5]
    with tarfile.open(fileobj=BytesIO(b"".join(part.read_bytes() for part in sorted(kept.glob("model.tar.*"))))) as packed:
        assert "checkpoint-1/training.json" in packed.getnames()


@pytest.mark.slow
def test_the_loop_of_the_readme(shell: Shell) -> None:
    steps = ("record", "train", "round", "improve", "judge", "keep")
    for step in steps:
        shell.run(line("README.md", f"docs/training/loop.sh {step}"))
    done = [line["step"] for line in results(shell.folder / "results/kept")]
    assert (done[:2], {*done[2:4]}, done[4:]) == (
        ["demos", "train-0"], {"dagger-0", "train-1"}, ["train-2", "judged-train-2"]
    )  # fmt: skip


@pytest.mark.slow
def test_the_effect_of_the_trace(shell: Shell) -> None:
    """docs/training.md; two seeds, since one has no spread."""
    shell.environment["SEEDS"] = "0 1"
    record, following, effect = line("docs/training.md", "question.sh record").split("; ")
    shell.run(record)
    for left in reversed(range(8)):
        shell.run(following, code=75 if left else 0)
    said = json.loads(shell.run(effect))
    assert (len(said["trace"]), len(said["plain"]), said["placements"]) == (2, 2, 1)
    assert said["interval_95"][0] <= said["difference"] <= said["interval_95"][1]
