"""A tracker that keeps what it is told, and fails when asked to."""

from __future__ import annotations

import time

from eval.sinks.base import Sink, SinkError

told: list[tuple[object, ...]] = []
fails_at: list[str] = []
"""``open``, ``log``, ``table``, ``finish`` or ``hang``."""


class ListeningSink(Sink):
    def __init__(self, subject):
        self._tell("open", subject.id_of("listening"), subject.name, subject.config["episodes"])

    def _tell(self, what, *more):
        if what in fails_at:
            raise SinkError(f"no {what}\ntoday")
        if "hang" in fails_at:
            time.sleep(60)
        told.append((what, *more))

    def log(self, metrics, step):
        self._tell("log", step, dict(metrics))

    def table(self, name, columns, rows):
        self._tell("table", name, list(columns), [list(row) for row in rows])

    def video(self, name, path):
        self._tell("video", name, path.name)

    def finish(self):
        self._tell("finish")
