"""A policy that does not come back is interrupted, or ends the process with what is known; it never shows nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_policies import Still
from faulty_policies import Hangs

import eval.rollout.policy_watch
from eval.records.folder import load_run
from eval.records.options import RunOptions
from eval.rollout.run import Session, play

SUPPORT = Path(__file__).parents[1] / "support"
STUBBORN = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from faulty_policies import Hangs
import eval.rollout.policy_watch as watch
from eval.episode import EpisodeSpec
from eval.rollout.run import run
watch.GRACE_SECONDS = 0.3
plan = [EpisodeSpec.model_validate_json(line) for line in open(sys.argv[2])]
def go():
    run(plan, Hangs(stubborn=sys.argv[4] == "main"), world="fake_world", out=sys.argv[3], workers=1, watchdog=0.5, video="all")
if __name__ == "__main__":
    if sys.argv[4] == "main":
        go()
    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize("where", ["act", "reset"])
def test_a_policy_that_hangs_is_interrupted_and_given_up(make_spec, tmp_path, where):
    plan = [make_spec(index) for index in range(9)]
    options = RunOptions(world="fake_world", workers=1, watchdog=0.4)
    ends = []
    data = play(plan, options, Hangs(where), Session(tmp_path / "run", on_end=ends.append))
    errored = [record.error for record in data.records.values() if record.status == "errored"]
    assert errored == [f"policy was silent for 0.4 s in {where} (call {number})" for number in (2, 3, 4)]
    assert data.header.sessions[-1].outcome == "stopped"
    assert "did not come back from 3 calls in a row" in "".join(ends[0].lines)
    assert "time.sleep(60)" in (data.path / "errors.log").read_text()


def test_an_end_that_hangs_costs_no_verdict(make_spec, tmp_path):
    options = RunOptions(world="fake_world", workers=1, watchdog=0.4)
    data = play([make_spec(0), make_spec(2)], options, Hangs("end"), Session(tmp_path / "run", on_end=lambda _: None))
    assert {record.status for record in data.records.values()} == {"success"}
    assert "silent for 0.4 s in end (call 2)" in (data.path / "errors.log").read_text()


@pytest.mark.parametrize("thread", ["main", "other"])
def test_one_that_does_not_even_react_ends_the_process_with_what_is_known(make_spec, tmp_path, thread):
    plan = tmp_path / "plan"
    plan.write_text("".join(make_spec(index, max_steps=1).model_dump_json() + "\n" for index in (0, 2)))
    script = tmp_path / "stubborn.py"
    script.write_text(STUBBORN)
    environment = {**os.environ, "PYTHONPATH": f"{Path(eval.__file__).parents[1]}:{SUPPORT}"}
    command = [sys.executable, str(script), str(SUPPORT), str(plan), str(tmp_path / "run"), thread]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "policy was silent for 0.5 s in act (call 2), and does not react" in done.stderr
    assert "retry_errored" not in done.stderr
    assert f"go on with: eval.run(plan, policy, out='{tmp_path}/run', policy_changed=True)" in done.stderr
    (record,) = load_run(tmp_path / "run").records.values()
    assert record.video is not None, "what was on its way is kept"
    assert "in hang" in (tmp_path / "run/errors.log").read_text()
    assert json.loads((tmp_path / "run/run.json").read_text())["sessions"][-1]["outcome"] == "stopped"


def test_what_is_waited_for_is_said(make_spec, tmp_path, monkeypatch):
    class Slow(Still):
        def act(self, observations):
            if observations[0].step == 0:
                eval.rollout.policy_watch.threading.Event().wait(0.5)
            return super().act(observations)

    monkeypatch.setattr(eval.rollout.policy_watch, "TELL_SECONDS", 0.1)
    monkeypatch.setattr(eval.rollout.policy_watch, "TICK_SECONDS", 0.05)
    said = []
    options = RunOptions(world="fake_world", workers=1)
    play([make_spec(0)], options, Slow(), Session(tmp_path / "run", status=said.append))
    assert said[0].startswith("waiting for the policy's first answer")
    assert said[-1] is None
