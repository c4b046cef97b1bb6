"""A tracker that keeps what it is told, and fails when asked to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from eval.sinks.base import Sink, SinkError


class Heard:
    """What one test's trackers are told, and where they fail: a thread that outlives its test speaks to its own."""

    def __init__(self):
        self.told: list[tuple[object, ...]] = []
        self.fails_at: list[str] = []
        """``open``, ``log``, ``table``, ``finish`` or ``hang``."""
        self.over = threading.Event()


_heard = Heard()


@contextmanager
def listening() -> Iterator[Heard]:
    """Trackers opened inside tell this one; those that hang are let go at the end."""
    global _heard
    _heard = heard = Heard()
    yield heard
    heard.over.set()


class ListeningSink(Sink):
    def __init__(self, subject):
        self._heard = _heard
        self._tell("open", subject.id_of("listening"), subject.name, subject.config["episodes"])

    def _tell(self, what, *more):
        if what in self._heard.fails_at:
            raise SinkError(f"no {what}\ntoday")
        if "hang" in self._heard.fails_at:
            self._heard.over.wait(60)
        self._heard.told.append((what, *more))

    def log(self, metrics, step):
        self._tell("log", step, dict(metrics))

    def table(self, name, columns, rows):
        self._tell("table", name, list(columns), [list(row) for row in rows])

    def video(self, name, path):
        self._tell("video", name, path.name)

    def finish(self):
        self._tell("finish")
