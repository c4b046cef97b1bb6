"""Trackio: the tracker of Hugging Face, which keeps its runs on this machine (``TRACKIO_DIR``) unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.sinks.base import Sink, Subject


class TrackioSink(Sink):
    """A run of Trackio, which it knows by its name: that ends in the id."""

    def __init__(self, subject: Subject) -> None:
        import trackio

        self._trackio = trackio
        self._run: Any = trackio.init(
            project=subject.project,
            name=f"{subject.name} {subject.id_of('trackio')}",
            config=dict(subject.config),
            resume="allow",
            auto_log_gpu=False,
            auto_log_cpu=False,
            embed=False,
        )
        self._step = 0

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """See the base."""
        self._step = step
        self._run.log(dict(metrics), step=step)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """See the base."""
        table = self._trackio.Table(columns=list(columns), data=[list(row) for row in rows])
        self._run.log({name: table}, step=self._step)

    def video(self, name: str, path: Path) -> None:
        """See the base."""
        self._run.log({name: self._trackio.Video(str(path), format="mp4")}, step=self._step)

    def finish(self) -> None:
        """See the base."""
        self._run.finish()
