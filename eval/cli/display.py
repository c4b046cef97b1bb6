"""How a run is watched: on a terminal a line for each task and a bar, in a log file one line every half minute and one for
each task that is done.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console

from eval.cli.estimate import Estimate, duration, size
from eval.cli.live_view import LiveView
from eval.cli.task_tallies import TaskTallies, success_text
from eval.nouns import counted, noun
from eval.records.escaping import visible
from eval.records.header import Course
from eval.records.results import EpisodeRecord
from eval.records.speed import speed_text
from eval.records.turns import Turn
from eval.rollout.course import course_text

LINE_SECONDS = 30.0
"""Between two lines where stderr is no terminal."""
ESTIMATE_SECONDS = 60.0
"""After which it is said how long the run takes."""


class RunProgress:
    """What is done, successes so far in all and in each task, speed and the time left. Never stops a run, whatever becomes of
    stderr.

    Args:
        console: of stderr.
        policy: its name.
        turns: the whole run, repeats included.
        estimate: what its length and size are estimated with; None: they are not.
    """

    def __init__(self, console: Console, policy: str, turns: Sequence[Turn], estimate: Estimate | None = None) -> None:
        self._console, self._policy, self._total, self._estimate = console, policy, len(turns), estimate
        self._tasks = TaskTallies(turns)
        self._new, self._steps, self._start = 0, 0, time.monotonic()
        self._path: Path | None = None
        self._waiting: str | None = None
        self._first = "starting workers"
        self._estimated = estimate is None
        self._done = threading.Event()
        self._view: LiveView | None = None
        if console.is_terminal and console.file.isatty():  # the first alone may be forced by a variable
            self._view = LiveView(console, self._total, self._tasks)
        self._thread = threading.Thread(target=self._tick, name="progress", daemon=True)

    # ---- what happens ------------------------------------------------------------------------------------------------

    def begin(self, path: Path, before: list[EpisodeRecord]) -> None:
        """The input is usable and the workers are about to start."""
        self._path, self._start = path.absolute(), time.monotonic()
        for record in before:
            self._tasks.take(record)
        steps = ""
        if self._estimate is not None:
            self._estimate.begin(before)
            left = self._estimate.steps_left
            steps = f" (at most {left:,} {noun(left, 'step')})" if left else ""
        done = f", {len(before)} of them done before" if before else ""
        if len(before) >= self._total:
            done = ", all done before"
        self._say(f"{counted(self._total, 'episode')}{steps} with {self._policy} into {path}{done}")
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

    def page(self, path: Path) -> None:
        """There is a page about the run to look at."""
        if self._view is not None:
            self._view.page = str(path)
        else:
            self._say(f"page: {path}")

    def waits(self, text: str | None) -> None:
        """What the run waits for; None: it goes on."""
        self._waiting = text
        if text is None and self._path is not None:
            self._first = "playing the first episodes"
        self._show()

    def episode(self, record: EpisodeRecord) -> None:
        """One more is done."""
        done = self._tasks.take(record)
        self._new, self._steps = self._new + 1, self._steps + record.steps
        if self._estimate is not None:
            self._estimate.episode(record)
        if done is not None and self._view is None and len(self._tasks) > 1:
            self._say(f"{done.name} is done: {done.success}")
        self._show()

    def __enter__(self) -> RunProgress:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
        if self._view is not None:
            with _whatever_becomes_of_stderr():
                self._view.stop()

    # ---- what is shown -----------------------------------------------------------------------------------------------

    def _state(self) -> str:
        if self._waiting is not None:
            return visible(self._waiting)
        if not self._new:
            return self._first
        passed = max(time.monotonic() - self._start, 1e-3)
        speed = speed_text(self._new, self._steps, passed)
        return ", ".join(filter(None, (success_text(self._tasks.counts), speed)))

    def _show(self) -> None:
        if self._view is not None:
            with _whatever_becomes_of_stderr():
                self._view.show(self._tasks.done, self._state())

    def _tick(self) -> None:
        last = time.monotonic()
        while not self._done.wait(min(1.0, LINE_SECONDS)):
            if self._view is None and time.monotonic() - last >= LINE_SECONDS:
                last = time.monotonic()
                self._say(self._line())
            if not self._estimated and self._new and time.monotonic() - self._start > ESTIMATE_SECONDS:
                self._estimated = True
                self._say_estimate()

    def _line(self) -> str:
        parts = [f"{self._tasks.done} of {counted(self._total, 'episode')}", self._state()]
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
