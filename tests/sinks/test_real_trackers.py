"""The real packages, offline: one run an evaluation, whose numbers, table and videos can be read back."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHILD = """
import sys
sys.path[:0] = [{support!r}, {tests!r}]
from conftest import tiny_spec
from fake_policies import Counts, Still
from eval.rollout.run import run
plan = [tiny_spec(0), tiny_spec(1)]
options = dict(out={out!r}, world="fake_world", workers=1, video="all", report_to={name!r}, assets={marks!r})
run(plan, Counts(plan[0].id), **options)
again = type("Counts", (Still,), {{"__module__": "fake_policies"}})()
run(plan, again, retry_errored=True, **options)
"""


def play(name: str, tmp_path: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A run with an errored episode, and its continuation, in a process of its own: trackers have a mind of their own."""
    (tmp_path / "marks").mkdir()
    tests = Path(__file__).parents[1]
    script = CHILD.format(
        support=str(tests / "support"), tests=str(tests), out=str(tmp_path / "run"), name=name, marks=str(tmp_path / "marks")
    )
    return subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **environment}, capture_output=True, text=True, check=False,
        cwd=tests.parent, timeout=300,
    )  # fmt: skip


def records_in(path: Path) -> Iterator[bytes]:
    """Of a ``.wandb`` file: LevelDB's log format after a head of 7 bytes."""
    content, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        size, kind = struct.unpack_from("<HB", content, place + 4)
        parts += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def test_wandb_offline_keeps_one_run(tmp_path):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    from wandb.proto import wandb_internal_pb2

    done = play("wandb", tmp_path, {"WANDB_MODE": "offline", "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "nothing more is reported" not in done.stderr
    files = sorted((tmp_path / "run").rglob("*.wandb"))
    assert len(files) == 2  # a session each, of one run
    kept = json.loads((tmp_path / "run/report_to.json").read_text())["wandb"]
    rows, ids, configs = [], set(), []
    for path in files:
        for data in records_in(path):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "run":
                ids.add(record.run.run_id)
                configs.append({item.key for item in record.run.config.update})
            if record.WhichOneof("record_type") == "history":
                rows.append({"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item})
    assert ids == {kept}
    assert {"identity", "options", "plan_hash"} <= configs[0]
    steps = [(int(row["step"]), row["success_rate"]) for row in rows if "success_rate" in row]
    assert steps[-1] == (2, "0.5")
    assert [step for step, _ in steps] == sorted(step for step, _ in steps)
    assert any("summary" in key for row in rows for key in row)
    assert list((tmp_path / "run").rglob("*.mp4"))


def test_wandb_without_a_login_is_one_line_and_nobody_is_asked(tmp_path):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    done = play("wandb", tmp_path, {"HOME": str(tmp_path), "WANDB_API_KEY": "", "WANDB_MODE": "online"})
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "nothing more is reported" in line]
    assert len(lines) == 2  # one a session
    assert "wandb login" in lines[0]


def test_trackio_keeps_one_run(tmp_path):
    trackio = pytest.importorskip("trackio", reason="the extra trackio is not installed")
    done = play("trackio", tmp_path, {"TRACKIO_DIR": str(tmp_path / "trackio"), "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "nothing more is reported" not in done.stderr
    script = """
import json, trackio
from trackio.sqlite_storage import SQLiteStorage
names = SQLiteStorage.get_runs("simpler-eval")
print(json.dumps({"runs": names, "logs": SQLiteStorage.get_logs("simpler-eval", names[0])}, default=str))
"""
    environment = {**os.environ, "TRACKIO_DIR": str(tmp_path / "trackio"), "HOME": str(tmp_path)}
    read = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    found = json.loads(read.stdout.splitlines()[-1])
    kept = json.loads((tmp_path / "run/report_to.json").read_text())["trackio"]
    assert found["runs"] == [f"run {kept}"]
    rates = [(row["step"], row["success_rate"]) for row in found["logs"] if "success_rate" in row]
    assert rates[-1] == (2, 0.5)
    assert any("summary" in row for row in found["logs"])
    assert any(key.startswith("videos/") for row in found["logs"] for key in row)
    assert trackio is not None
