"""What a log file shows of a run, and how it counts."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

import eval.cli.display
from eval.cli.display import RunProgress
from eval.cli.estimate import Estimate, duration, size
from eval.records.results import EpisodeRecord
from eval.records.turns import turns_of
from eval.records.videos import VideoRule


def record(spec, status="success", **more):
    return EpisodeRecord(id=spec.id, task=spec.task, setting=spec.setting, variant=spec.variant, status=status, **more)


@pytest.fixture
def watch(make_spec, tmp_path):
    """A run of four episodes of 5 steps, watched in a file."""
    plan, file = [make_spec(index) for index in range(4)], io.StringIO()
    estimate = Estimate(turns_of(plan, 1), VideoRule.parse("all"))
    return plan, RunProgress(Console(file=file, width=200), "mine", list(turns_of(plan, 1)), estimate), file


def test_a_log_file_gets_a_line_now_and_then_and_nothing_else(watch, monkeypatch, tmp_path):
    monkeypatch.setattr(eval.cli.display, "LINE_SECONDS", 0.1)
    plan, progress, file = watch
    with progress:
        progress.begin(Path("results/x"), [])
        progress.waits("waiting for the policy's first answer, 4 s")
        time.sleep(0.35)
        progress.waits(None)
        progress.episode(record(plan[0]))
        progress.episode(record(plan[1], "errored"))
        time.sleep(0.35)
    first, *lines = file.getvalue().splitlines()
    assert first == "4 episodes (at most 20 steps) with mine into results/x"
    assert "0 of 4 episodes, waiting for the policy's first answer, 4 s" in lines
    assert any(
        line.startswith("2 of 4 episodes, success 1/1 (100 %), errored 1, ") and line.endswith(" s left") for line in lines
    )
    assert 2 <= len(lines) <= 8
    assert "\x1b" not in file.getvalue()


def test_errored_episodes_that_are_played_again_count_once(watch):
    plan, progress, file = watch
    with progress:
        progress.begin(Path("x"), [record(plan[0])])
        for spec in (*plan, plan[1]):
            progress.episode(record(spec))
        assert progress._line().startswith("4 of 4 episodes, success 4/4")
    assert "(at most 15 steps) with mine into x, 1 of them done before" in file.getvalue()


def test_a_finished_run_says_so(watch):
    plan, progress, file = watch
    with progress:
        progress.begin(Path("x"), [record(spec) for spec in plan])
    assert file.getvalue().splitlines()[0] == "4 episodes with mine into x, all done before"


def test_after_a_minute_time_and_disk_are_estimated(watch, monkeypatch, tmp_path):
    monkeypatch.setattr(eval.cli.display, "ESTIMATE_SECONDS", 0.2)
    monkeypatch.setattr(eval.cli.display, "LINE_SECONDS", 0.1)
    plan, progress, file = watch
    (tmp_path / "film.mp4").write_bytes(bytes(3_000_000))
    monkeypatch.setattr(eval.cli.display, "LINE_SECONDS", 0.05)
    with progress:
        progress.begin(tmp_path, [])
        progress.episode(record(plan[0], video="film.mp4"))
        time.sleep(0.5)
    (line,) = [line for line in file.getvalue().splitlines() if "on disk" in line]
    assert line.endswith("left; the run needs about 12 MB on disk (videos 12 MB)")


class Gone(io.StringIO):
    """A terminal that was closed, or one whose line is dead."""

    def __init__(self, error):
        super().__init__()
        self.error, self.tried = error, 0

    def write(self, text):
        self.tried += 1
        raise self.error


@pytest.mark.parametrize("error", [ValueError("I/O operation on closed file"), OSError(5, "Input/output error")])
def test_a_terminal_that_is_gone_stops_nothing(make_spec, error):
    file = Gone(error)
    with RunProgress(Console(file=file), "mine", list(turns_of([make_spec(0)], 1))) as progress:
        progress.begin(Path("x"), [])
        progress.episode(record(make_spec(0)))
    assert file.tried, "it was written to, and failed"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shown(make_spec):
    """What a terminal of a size shows of a run: how many tasks, how many of its episodes are done -> lines."""

    def show(width, height, tasks, done, page=None):
        names = [f"google_robot_a_task_with_a_rather_long_name_{number:02}" for number in range(tasks)]
        plan = [make_spec(index, task=name) for name in names for index in range(4)]
        console = Console(file=Terminal(), force_terminal=True, width=width, height=height)
        screen = Console(file=io.StringIO(), width=width, height=height)
        with RunProgress(console, "mine", list(turns_of(plan, 1))) as progress:
            progress.begin(Path("x"), [])
            if page is not None:
                progress.page(Path(page))
            for spec in plan[:done]:
                progress.episode(record(spec, "failure" if spec.index == 3 else "success", steps=5))
            screen.print(progress._view.get_renderable())
        return screen.file.getvalue().rstrip("\n").split("\n")

    return show


def test_a_terminal_shows_each_task_the_speed_and_the_page(shown):
    lines = shown(100, 30, tasks=3, done=6, page="results/x/report/index.html")
    assert [line.split()[1:] for line in lines[:3]] == [
        ["4/4", "success", "3/4", "(75", "%)"], ["2/4", "success", "2/2", "(100", "%)"], ["0/4"],
    ]  # fmt: skip
    assert "6/12" in lines[3]
    assert "ETA" in lines[3]
    assert lines[4].startswith("success 5/6 (83 %), ")
    assert " steps/s" in lines[4]
    assert lines[5] == "page: results/x/report/index.html"
    assert len(shown(100, 30, tasks=1, done=2)) == 2, "one task needs no line of its own"


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (40, 12), (24, 8), (80, 5)])
def test_a_terminal_is_not_flooded(shown, width, height):
    lines = shown(width, height, tasks=25, done=42, page="results/a_rather_long_folder/report/index.html")
    assert len(lines) <= max(height - 2, 5)
    assert all(len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "").endswith("page:results/a_rather_long_folder/report/index.html"), "to be copied"
    if height >= 8:
        assert any("2/4" in line for line in lines), "the task that is being played"
    if 8 <= height < 30:
        assert any("more tasks: " in line for line in lines)


def test_a_log_file_says_when_a_task_is_done_and_where_the_page_is(make_spec):
    file = io.StringIO()
    plan = [make_spec(index, task=task) for task in ("a", "b") for index in range(2)]
    with RunProgress(Console(file=file, width=200), "mine", list(turns_of(plan, 1))) as progress:
        progress.begin(Path("x"), [])
        progress.page(Path("x/report/index.html"))
        for spec in (*plan[:2], plan[1]):
            progress.episode(record(spec, "success" if spec.index else "errored"))
    assert file.getvalue().splitlines()[1:] == ["page: x/report/index.html", "a is done: success 1/1 (100 %), errored 1"]


def test_units() -> None:
    assert [duration(seconds) for seconds in (45, 720, 12_000)] == ["45 s", "12 min", "3 h 20 min"]
    assert [size(count) for count in (10, 5e5, 4.2e6, 1.25e9, 3e10)] == ["1 kB", "500 kB", "4.2 MB", "1.2 GB", "30 GB"]
