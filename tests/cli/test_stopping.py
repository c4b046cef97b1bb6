"""The command itself, as a shell and a batch system see it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import eval
from eval.records.folder import load_run

ROOT, SUPPORT = Path(eval.__file__).parents[1], Path(__file__).parents[1] / "support"
POLICIES = """
import ctypes, os, subprocess, time
from fake_policies import Still
class Talks(Still):
    def act(self, observations):
        print("a word"); os.write(1, b"raw\\n"); ctypes.CDLL(None).puts(b"from C"); subprocess.run(["echo", "a child"])
        return super().act(observations)
    def close(self):
        import atexit
        atexit.register(print, "at the end")
class Slow(Still):
    def act(self, observations):
        try:
            time.sleep(0.05)
        except BaseException:
            pass
        return super().act(observations)
class RaisesThenSlow(Slow):
    asked = 0
    def act(self, observations):
        self.asked += 1
        if self.asked == 1:
            raise KeyError("first")
        return super().act(observations)
class Raises(Still):
    def act(self, observations):
        raise KeyError("missing")
"""
PLAN = ("--task", "widowx_carrot_on_plate", "--world", "fake_world", "--workers", "1", "--max-steps", "4")


@pytest.fixture
def start(tmp_path):
    """``simpler-eval run`` with one of the policies above, in a process group of its own."""
    (tmp_path / "own.py").write_text(POLICIES)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{SUPPORT}"}

    def start(name, *options, before=()):
        command = [*before, sys.executable, "-m", "simpler_eval", "run", *options]
        command += ["--policy", f"own.py:{name}", *PLAN, "--out", "run"] if name else []
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    return start


def wait_for_records(run, count):
    """Until so many episodes are on disk."""
    file, end = run / "episodes.jsonl", time.monotonic() + 60
    while not file.exists() or file.read_bytes().count(b"\n") < count:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_whatever_a_policy_prints_by_whatever_means_json_stays_json(start):
    process = start("Talks", "--json", "--limit", "1")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["rows"]
    for text in ("a word", "raw", "from C", "a child", "at the end"):
        assert text in err


def test_the_end_of_the_terminal_is_like_ctrl_c(start, tmp_path):
    process = start("Slow", "--video", "all")
    wait_for_records(tmp_path / "run", 2)
    os.killpg(process.pid, signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGHUP
    data = load_run(tmp_path / "run")
    assert f"{len(data.records)} of 24 episodes are done. Continue with: simpler-eval run --resume run" in err
    assert data.header.sessions[-1].outcome == "interrupted"
    assert all(record.video for record in data.records.values()), "the encoder is not disturbed"


def test_a_failing_policy_is_seen_and_goes_on_by_the_command_that_was_said(start, tmp_path):
    process = start("Raises", "--limit", "20")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "widowx_carrot_on_plate" in out, "the table is shown"
    assert err.splitlines()[-1] == "  simpler-eval run --resume run --retry-errored --policy-changed"
    assert "8 x policy raised KeyError: 'missing'" in err
    assert "raise KeyError" in err


def test_a_stopped_run_with_errors_says_what_each_command_plays(start, tmp_path):
    process = start("RaisesThenSlow")
    wait_for_records(tmp_path / "run", 3)
    os.killpg(process.pid, signal.SIGINT)
    err = process.communicate(timeout=60)[1].splitlines()
    played = len(load_run(tmp_path / "run").records)
    left = f"To play only the {24 - played} that are left: simpler-eval run --resume run"
    assert err[-1] == f"Stopped; {played - 1} of 24 episodes have a verdict. {left}"
    assert err[-3:-1] == [
        "When the cause is mended, go on with:",
        "  simpler-eval run --resume run --retry-errored --policy-changed",
    ]


def test_before_the_first_episode_there_is_nothing_to_go_on_with(cli, tmp_path, monkeypatch):
    import eval.cli.progress

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(eval.cli.progress, "play", stop)
    code, _, err = cli("run", "--out", tmp_path / "run")
    assert code == 130
    assert "--resume" not in err


def test_a_smoke_test_that_is_stopped_leaves_no_folder(tmp_path):
    child = subprocess.Popen([sys.executable, "-m", "simpler_eval", "smoke"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}, text=True)  # fmt: skip
    end = time.monotonic() + 60
    while not list(tmp_path.glob("simpler-eval-smoke-*/oracle/run.json")) and time.monotonic() < end:
        time.sleep(0.05)
    child.terminate()
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (128 + signal.SIGTERM, "Stopped.\n")
    assert not list(tmp_path.glob("simpler-eval-smoke-*"))
