"""The page of a run that goes on: written anew every half minute by a process of its own, which the run does not wait for.

The process reads the run's folder as anybody might. It gives way to the run's own processes, and rests ``REST`` times as long
as it computed. Whatever becomes of it becomes of the page alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from eval.errors import UserError
from eval.nouns import noun
from eval.records.header import Course
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.speed import speed_text
from eval.report import FILE, FOLDER
from eval.rollout.course import course_text
from eval.rollout.processes import Process, start_own

EVERY = 30.0
"""Seconds from one page to the next."""
REST = 10
"""A page that takes much computing is written more rarely: the process takes at most about one part in so many of a core."""
AFTER = 5.0
"""Seconds after which a run gets a process for its page: what is over sooner has its page at once."""
TOLD = 5.0
"""Seconds from one message to the process to the next."""
NICE = 5
"""A quarter of the share that another process gets: least of all would be nothing, where workers fill every core."""
PATIENCE = 5.0
"""Seconds that the process is waited for when the run ends."""


class LiveReport:
    """Hears what a run tells its listeners, and has its page written. Nothing here raises, waits, or takes more than the start
    of a process; the first thing that goes wrong with the page is in ``problem``.

    Args:
        total: episodes of the run, repeats included.
        time_left: in words; None: not known.
        on_page: hears once where the page is, as soon as there is one to be opened.
    """

    def __init__(
        self,
        total: int,
        time_left: Callable[[], str | None] = lambda: None,
        on_page: Callable[[Path], None] = lambda page: None,
    ) -> None:
        self.problem: str | None = None
        self._total, self._time_left = total, time_left
        self._on_page: Callable[[Path], None] | None = on_page
        self._path: Path | None = None
        self._process: Process | None = None
        self._pipe: Connection | None = None
        self._outcomes: dict[RecordKey, str] = {}
        self._new = self._steps = 0
        self._began = self._told = time.monotonic()
        self._lines: dict[str, str] = {}

    # ---- what happens ------------------------------------------------------------------------------------------------

    def begin(self, path: Path, before: Sequence[EpisodeRecord]) -> None:
        """The input is usable and the workers are about to start."""
        self._path, self._began = path.absolute(), time.monotonic()
        self._outcomes = {record.key: record.status for record in before}

    def course(self, course: Course, before: Course | None) -> None:
        """How the session plays."""
        self._lines["workers"] = course_text(course, before)

    def replicas(self, line: str) -> None:
        """Several policies play."""
        self._lines["replicas"] = line

    def waits(self, text: str | None) -> None:
        """What the run waits for; None: it goes on."""
        self._lines["now"] = text or "playing"
        self._look()

    def episode(self, record: EpisodeRecord) -> None:
        """One more is done."""
        self._outcomes[record.key] = record.status
        self._new, self._steps = self._new + 1, self._steps + record.steps
        self._look()

    def close(self) -> None:
        """End the process, after which the final page may be written; may be called twice."""
        pipe, process, self._pipe, self._process = self._pipe, self._process, None, None
        if pipe is None or process is None:
            return
        process.kill()  # a page is replaced whole or not at all
        process.join(PATIENCE)
        with contextlib.suppress(OSError, EOFError, ValueError):
            if pipe.poll():
                self.problem = str(pipe.recv())
        pipe.close()

    def leave(self) -> None:
        """The run was interrupted: the process writes one last page by itself, which says so, and ends."""
        pipe, self._pipe, self._process = self._pipe, None, None
        if pipe is not None:
            pipe.close()

    # ---- the process -------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        now = time.monotonic()
        if self._path is None or now - self._began < AFTER or self.problem is not None:
            return
        page, on_page = self._path / FOLDER / FILE, self._on_page
        if on_page is not None and self._pipe is not None and page.is_file():
            self._on_page = None
            on_page(page)
        if self._pipe is None:
            try:
                self._process, self._pipe = start_own(keep_page, str(self._path), EVERY)
                os.set_blocking(self._pipe.fileno(), False)
            except Exception as error:  # a run needs no page
                self.problem = f"{type(error).__name__}: {error}"
                return
        elif now - self._told < TOLD:
            return
        self._told = now
        with contextlib.suppress(OSError, ValueError):
            self._pipe.send(self._state())

    def _state(self) -> dict[str, str]:
        """What and how much, in words."""
        counts, seconds = Counter(self._outcomes.values()), time.monotonic() - self._began
        state = {"done": f"{len(self._outcomes):,} of {self._total:,} {noun(self._total, 'episode')}"}
        if counts["errored"]:
            state["errored"] = f"{counts['errored']:,}"
        if self._new:
            state["speed"] = speed_text(self._new, self._steps, seconds)
        if left := self._time_left():
            state["time left"] = left
        return {**state, **self._lines}


def keep_page(pipe: Connection, path: str, every: float) -> None:
    """What the process does: write the page again and again, and once more when the run has gone.

    The first thing that goes wrong is said into the pipe.
    """
    _be_quiet()
    from eval.records.folder import load_run
    from eval.report.page import Running, write_report  # heavy, and the run's process does without

    run, said = Path(path), False
    state: Mapping[str, str] = {}
    wait, goes_on = 1.0, True
    while goes_on:
        deadline = time.monotonic() + wait
        while goes_on and (left := deadline - time.monotonic()) > 0:
            try:
                if pipe.poll(left):
                    state = pipe.recv()
            except (EOFError, OSError):
                goes_on = False
        began = time.process_time()
        try:
            write_report([load_run(run)], run / FOLDER, running=Running(tuple(state.items())) if goes_on else None)
        except Exception as error:
            text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            if not said:
                with contextlib.suppress(OSError):
                    pipe.send(text)
            said = True
        wait = max(every, REST * (time.process_time() - began))


def _be_quiet() -> None:
    """The terminal belongs to the run, and so does the processor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  for as long as the process lives
    with contextlib.suppress(OSError):
        os.nice(NICE)
