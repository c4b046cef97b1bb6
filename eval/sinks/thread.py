"""A thread that speaks to a tracker, which may be slow, out of reach or broken: its first failure is said in one line."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from eval.sinks.base import Sink, SinkError, Subject, open_sink

WAITING = 1000
"""Reports that may wait for a slow tracker; of more, those in between are left out."""
END_SECONDS = 120.0
"""That a tracker has for its last reports."""

Work = Callable[[Sink], None]


class SinkThread:
    """Speaks to one tracker of one subject.

    Args:
        name: of the tracker.
        subject: what is reported.
        say: prints a line.
        what: that goes on without the tracker, such as ``run``.
    """

    def __init__(self, name: str, subject: Subject, say: Callable[[str], None], what: str) -> None:
        self._name, self._subject, self._say, self._what = name, subject, say, what
        self._work: queue.Queue[Work | None] = queue.Queue(WAITING)
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._report, name=f"report to {name}", daemon=True)
        self._thread.start()

    def put(self, work: Work) -> None:
        """A report, unless too many wait."""
        if self._problem is None and not self._work.full():
            self._work.put(work)

    def finish(self, *last: Work) -> None:
        """The last reports; returns when all has arrived, or after some time."""
        if not self._thread.is_alive():
            return
        for work in (*last, None):
            try:
                self._work.put(work, timeout=END_SECONDS)
            except queue.Full:
                break
        self._thread.join(END_SECONDS)
        if self._thread.is_alive():
            late = f"{self._name} has not taken in all after {END_SECONDS:g} s"
            self._say(f"simpler-eval: {late}; what is missing there is in {self._subject.folder}")

    def _report(self) -> None:
        """Opens the tracker, passes on what comes, and after a failure only says so."""
        try:
            sink = open_sink(self._name, self._subject)
            while (work := self._work.get()) is not None:
                work(sink)
            sink.finish()
        except Exception as error:  # of a package or a network
            text = str(error) if isinstance(error, SinkError) else f"{type(error).__name__}: {error}"
            self._problem = " ".join(text.split())[:300]
            self._say(f"simpler-eval: nothing more is reported to {self._name} ({self._problem}); the {self._what} goes on")
