"""The scripts of docs/training.md, walked from the first step to the last with a tiny model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed (make vla)")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")

REPO = Path(__file__).parents[2]
TINY = {
    "COUNT": "2", "ROUND": "1", "STEPS": "2", "MORE": "1", "BATCH": "2", "JUDGED": "1", "DEVICE": "cpu", "INIT": "tiny",
    "HELD_OUT": "0", "OMP_NUM_THREADS": "1", "RUN": f"{sys.executable} -m simpler_eval", "PYTHON": sys.executable,
    "PYTHONPATH": str(REPO),
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


@pytest.mark.slow
def test_the_loop_from_demonstrations_to_a_judged_model(tmp_path: Path) -> None:
    for step in ("record", "train", "dagger", "improve", "judge", "round"):
        done = call("loop.sh", step, FOLDER=tmp_path, ARGS="--workers 1 " + ("" if step == "record" else "--max-steps 3"))
        assert done.returncode == 0, (step, done.stdout, done.stderr)
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines[:5]] == ["demos", "train-0", "dagger-0", "train-1", "judged-train-1"]
    assert {line["step"] for line in lines[5:]} == {"dagger-1", "train-2"}
    assert lines[2]["said"]["played"] == 1
    assert lines[4]["said"]["rows"][0]["n"] == 1
    record = json.loads((tmp_path / "train-1/checkpoint-1/training.json").read_text())
    assert [each["episodes"] for each in record["datasets"]] == [lines[0]["said"]["successes"], 1]
    assert (tmp_path / "dagger-1.model").read_text().strip().endswith("train-1/checkpoint-1")
    record = json.loads((tmp_path / "train-2/checkpoint-1/training.json").read_text())
    assert len(record["datasets"]) == 2, "what was played at the same time is for the next round"
    assert call("loop.sh", "keep", tmp_path / "kept", FOLDER=tmp_path).returncode == 0
    parts = sorted((tmp_path / "kept").glob("model.tar.*"))
    with tarfile.open(fileobj=BytesIO(b"".join(part.read_bytes() for part in parts))) as packed:
        assert "checkpoint-1/training.json" in packed.getnames()
