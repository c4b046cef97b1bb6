"""Runs start from any program: nothing of it is imported again in the processes that simulate."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eval.rollout.parallel import map_in_processes

REPO = Path(__file__).parents[2]
PROGRAM = """
import simpler_eval
import numpy as np
from conftest import tiny_spec
from policies.base import Action
from policies.random import RandomPolicy

print("imported", __name__)

class Mine(RandomPolicy):
    def act(self, observations):
        return [Action(np.zeros(7)) for _ in observations]

def play(out, policy=None):
    plan = [tiny_spec(0), tiny_spec(1)]
    data = simpler_eval.run(plan, policy or Mine(), out=out, workers=2, world="fake_world")
    print(out, *(data.record(spec.id).status for spec in plan))
"""
UNUSUAL = """
import asyncio, multiprocessing, threading

async def within_a_loop():
    play("loop")
    await asyncio.to_thread(play, "thread")

asyncio.run(within_a_loop())
multiprocessing.set_start_method("fork")
child = multiprocessing.Process(target=play, args=("daemon",), daemon=True)
child.start()
child.join()
"""


def run_python(folder: Path, *arguments: str, stdin: str | None = None) -> list[str]:
    path = os.pathsep.join(map(str, (REPO, REPO / "tests", REPO / "tests/support")))
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": path}, input=stdin, text=True,
        capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("how", ["script", "stdin", "exec"])
def test_a_program_without_a_guard(tmp_path: Path, how: str) -> None:
    (tmp_path / "program.py").write_text(f"{PROGRAM}\nplay('run')\n")
    text = (tmp_path / "program.py").read_text()
    calls = {
        "script": (["program.py"], None),
        "stdin": (["-"], text),
        "exec": (["-"], f"text = {text!r}\nexec(text, {{'__name__': '__main__'}})"),  # as a notebook does
    }
    arguments, stdin = calls[how]
    assert run_python(tmp_path, *arguments, stdin=stdin) == ["imported __main__", "run success failure"]


def test_from_an_event_loop_a_thread_and_a_daemon_in_one_program(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM + UNUSUAL)
    said = run_python(tmp_path, "program.py")
    assert said[:3] == ["imported __main__", "loop success failure", "thread success failure"]
    assert "daemon success failure" in said


def test_a_function_over_many_jobs_gives_results_and_raises_as_here() -> None:
    assert map_in_processes(math.sqrt, [4.0, 9.0, 16.0], 2) == [2.0, 3.0, 4.0]
    assert map_in_processes(math.sqrt, [], 2) == []
    with pytest.raises(ValueError, match="math domain error"):
        map_in_processes(math.sqrt, [-1.0], 1)
    with pytest.raises(RuntimeError, match="a process of _exit ended with code 3"):
        map_in_processes(os._exit, [3], 1)
