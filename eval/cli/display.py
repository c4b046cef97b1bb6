"""How a run is watched: a bar on a terminal, one line every half minute in a log file."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from eval.cli.estimate import Estimate, duration, size
from eval.records.escaping import visible
from eval.records.header import Course
from eval.records.results import EpisodeRecord, RecordKey, Status
from eval.rollout.course import course_text

LINE_SECONDS = 30.0
"""Between two lines where stderr is no terminal."""
ESTIMATE_SECONDS = 60.0
"""After which it is said how long the run takes."""


class RunProgress:
    """What is done, successes so far, episodes per second and the time left. Never stops a run, whatever becomes of stderr.

    Args:
        console: of stderr.
        policy: its name.
        total: episodes of the run, repeats included.
        estimate: what its length and size are estimated with; None: they are not.
    """

    def __init__(self, console: Console, policy: str, total: int, estimate: Estimate | None = None) -> None:
        self._console, self._policy, self._total, self._estimate = console, policy, total, estimate
        self._states: dict[RecordKey, Status] = {}
        self._new, self._start = 0, time.monotonic()
        self._path: Path | None = None
        self._waiting: str | None = None
        self._first = "starting workers"
        self._estimated = estimate is None
        self._done = threading.Event()
        self._bar: Progress | None = None
        if console.is_terminal and console.file.isatty():  # the first alone may be forced by a variable
            columns = (
                BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[state]}"),
                TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn(elapsed_when_finished=False),
            )  # fmt: skip
            self._bar = Progress(*columns, console=console, speed_estimate_period=600)
            self._bar.add_task("", total=total, state="starting", visible=False)
        self._thread = threading.Thread(target=self._tick, name="progress", daemon=True)

    # ---- what happens ------------------------------------------------------------------------------------------------

    def begin(self, path: Path, before: list[EpisodeRecord]) -> None:
        """The input is usable and the workers are about to start."""
        self._path, self._start = path.absolute(), time.monotonic()
        self._states = {record.key: record.status for record in before}
        steps = ""
        if self._estimate is not None:
            self._estimate.begin(before)
            left = self._estimate.steps_left
            steps = f" (at most {left:,} steps)" if left else ""
        done = f", {len(before)} of them done before" if before else ""
        if len(before) >= self._total:
            done = ", all done before"
        noun = "episode" if self._total == 1 else "episodes"
        self._say(f"{self._total} {noun}{steps} with {self._policy} into {path}{done}")
        self._show()

    def course(self, course: Course, before: Course | None) -> None:
        """How the session plays, and how the one before did."""
        self._say(course_text(course, before))

    def replicas(self, line: str) -> None:
        """Several policies play."""
        self._say(line)

    def remark(self, line: str) -> None:
        """Something costs no result."""
        self._say(line)

    def waits(self, text: str | None) -> None:
        """What the run waits for; None: it goes on."""
        self._waiting = text
        if text is None and self._path is not None:
            self._first = "playing the first episodes"
        self._show()

    def episode(self, record: EpisodeRecord) -> None:
        """One more is done."""
        self._states[record.key] = record.status
        self._new += 1
        if self._estimate is not None:
            self._estimate.episode(record)
        self._show()

    def __enter__(self) -> RunProgress:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
        if self._bar is not None:
            with _whatever_becomes_of_stderr():
                self._bar.stop()

    # ---- what is shown -----------------------------------------------------------------------------------------------

    def _state(self) -> str:
        if self._waiting is not None:
            return visible(self._waiting)
        if not self._new:
            return self._first
        counts = Counter(self._states.values())
        state = f"success {counts['success']}/{counts['success'] + counts['failure']}"
        if counts["errored"]:
            state += f", errored {counts['errored']}"
        return state + f", {self._new / (time.monotonic() - self._start):.2f} episodes/s"

    def _show(self) -> None:
        if self._bar is None:
            return
        with _whatever_becomes_of_stderr():
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=len(self._states), state=self._state(), visible=True)
            self._bar.start()

    def _tick(self) -> None:
        last = time.monotonic()
        while not self._done.wait(min(1.0, LINE_SECONDS)):
            if self._bar is None and time.monotonic() - last >= LINE_SECONDS:
                last = time.monotonic()
                self._say(self._line())
            if not self._estimated and self._new and time.monotonic() - self._start > ESTIMATE_SECONDS:
                self._estimated = True
                self._say_estimate()

    def _line(self) -> str:
        parts = [f"{len(self._states)} of {self._total} episodes", self._state()]
        left = self._estimate.seconds_left(time.monotonic() - self._start) if self._estimate is not None else None
        if left and self._waiting is None:
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)

    def _say_estimate(self) -> None:
        if self._estimate is None or self._path is None:
            return
        seconds = self._estimate.seconds_left(time.monotonic() - self._start)
        if seconds:
            whole, videos = self._estimate.bytes_in_all(self._path)
            of_videos = f" (videos {size(videos)})" if videos else ""
            self._say(f"about {duration(seconds)} left; the run needs about {size(whole)} on disk{of_videos}")

    def _say(self, text: str) -> None:
        with _whatever_becomes_of_stderr():
            self._console.print(visible(text), highlight=False, markup=False, soft_wrap=True)


@contextlib.contextmanager
def _whatever_becomes_of_stderr() -> Iterator[None]:
    """A terminal that closes, a full disk or somebody's ``sys.stderr.close()`` is no reason to lose a run."""
    with contextlib.suppress(OSError, ValueError):
        yield
