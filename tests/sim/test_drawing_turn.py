"""Rays are traced by one process at a time on a GPU, and nothing that happens to that process stops the others."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time

import pytest

from eval.assets import cache
from eval.sim import drawing_turn
from eval.sim.drawing_turn import DrawingTurn

HOLD = """
import sys
from eval.sim.drawing_turn import DrawingTurn

turn = DrawingTurn(sys.argv[1])
with turn:
    pass  # the first image of a process goes without
with turn:
    print("drawing", flush=True)
    sys.stdin.read()
"""
DRAW = """
import sys, time
from eval.sim.drawing_turn import DrawingTurn

turn = DrawingTurn("gpu 0")
with turn:
    pass
for _ in range(15):
    with turn:
        begun = time.monotonic()
        time.sleep(0.004)
        print(begun, time.monotonic())
"""


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """A machine on which nobody draws."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def holder():
    """A function that starts a process which holds the turn of a device."""
    started = []

    def start(device="gpu 0"):
        child = subprocess.Popen([sys.executable, "-c", HOLD, device], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(child)
        assert child.stdout.readline() == "drawing\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.wait()


def after_first(device="gpu 0"):
    """A turn of a process whose first image is drawn."""
    turn = DrawingTurn(device)
    with turn:
        assert not turn._held
    return turn


def test_processes_draw_one_after_the_other():
    children = [subprocess.Popen([sys.executable, "-c", DRAW], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    times = sorted(tuple(map(float, line.split())) for child in children for line in child.communicate()[0].splitlines())
    assert len(times) == 45
    assert all(ended <= begun for (_, ended), (begun, _) in itertools.pairwise(times))


def test_the_turn_of_a_killed_process_goes_to_the_next(holder):
    child, turn = holder(), after_first()
    assert not turn._try(turn._file)
    child.kill()
    child.wait()
    with turn:
        assert turn._held


def test_devices_have_turns_of_their_own(holder):
    holder("0000:0a:00.0")
    turn, begun = after_first("0000:0b:00.0"), time.monotonic()
    with turn:
        assert turn._held
    assert time.monotonic() - begun < 1.0


def test_behind_a_process_that_hangs_images_are_drawn_all_the_same_until_it_goes_on(holder, monkeypatch, capfd):
    monkeypatch.setattr(drawing_turn, "HANGING_SECONDS", 0.5)
    child, turn = holder("gpu that hangs"), after_first("gpu that hangs")
    os.kill(child.pid, signal.SIGSTOP)
    waits = []
    for _ in range(3):
        begun = time.monotonic()
        with turn:
            assert not turn._held
        waits.append(time.monotonic() - begun)
    assert waits[0] > 0.5
    assert max(waits[1:]) < 0.2
    lines = [line for line in capfd.readouterr().err.splitlines() if "turn" in line]
    assert len(lines) == 1
    assert f"process {child.pid} has been at it" in lines[0]
    os.kill(child.pid, signal.SIGCONT)
    child.communicate("")
    with turn:
        assert turn._held


def test_without_a_place_for_the_lock_images_are_drawn_and_one_line_says_so(place):
    (place / "simpler-eval").write_text("no folder")
    command = [sys.executable, "-c", HOLD, "gpu without a place"]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [child.stdout.readline() for child in children] == ["drawing\n"] * 2  # both at once
    said = [line for child in children for line in child.communicate("")[1].splitlines()]
    assert len(said) == 1
    assert said[0].startswith(
        "simpler-eval: ray-traced images wait for no turn on the GPU gpu without a place, which is slower:"
    )


def test_without_a_folder_for_the_session_it_lies_in_the_cache(place, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    cache.cache_folder.cache_clear()
    try:
        with after_first() as turn:
            assert turn._held
        assert len(list((place / "cache/simpler-eval/turns").iterdir())) == 1
    finally:
        cache.cache_folder.cache_clear()


def test_a_process_has_one_turn_for_each_gpu_and_none_for_a_cpu():
    assert not isinstance(drawing_turn.drawing_turn(None), DrawingTurn)
    assert drawing_turn.drawing_turn("gpu 1") is drawing_turn.drawing_turn("gpu 1")
