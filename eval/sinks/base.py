"""What every tracker does for us, and which there are. Their packages are extras, imported when one is opened."""

from __future__ import annotations

import importlib
import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from eval.errors import UserError, needs_extra

SINKS: Final = {"wandb": "eval.sinks.wandb:WandbSink", "trackio": "eval.sinks.trackio:TrackioSink"}
"""Name of a tracker, and of its package -> what speaks to it."""
PROJECT = "simpler-eval"
FILE = "report_to.json"
"""In the folder of what is reported: the ids under which trackers know it."""


class SinkError(Exception):
    """A tracker cannot be used now; the text is one line that says why, and what helps."""


@dataclass(frozen=True)
class Subject:
    """What is reported."""

    folder: Path
    """Its own; a tracker's id of it is kept there."""
    name: str
    """As people shall know it."""
    config: Mapping[str, JsonValue]
    """What decides its numbers."""
    project: str = PROJECT

    def id_of(self, sink: str) -> str:
        """Under which a tracker knows it; the same whenever it goes on. Raises OSError if it cannot be kept."""
        path = self.folder / FILE
        try:
            known = json.loads(path.read_text())
        except (OSError, ValueError):
            known = {}
        if not isinstance(known, dict):
            known = {}
        if not isinstance(known.get(sink), str):
            known[sink] = uuid.uuid4().hex[:12]
            part = path.with_name(f".{FILE}.part")
            part.write_text(json.dumps(known, indent=2) + "\n")
            part.replace(path)
        return str(known[sink])


class Sink(ABC):
    """One run of a tracker; all calls come from the same thread. Whatever is raised ends the reporting and nothing else."""

    @abstractmethod
    def __init__(self, subject: Subject) -> None:
        """Begin the run of the tracker, or go on with it. Raises SinkError."""

    @abstractmethod
    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Numbers at a step, which never becomes less."""

    @abstractmethod
    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table."""

    @abstractmethod
    def video(self, name: str, path: Path) -> None:
        """A video file (MP4)."""

    @abstractmethod
    def finish(self) -> None:
        """All is said; returns when it has arrived."""


def check_sink(name: str) -> None:
    """Raises UserError if the package of a tracker is missing."""
    try:
        importlib.import_module(name)
    except ImportError as error:
        if getattr(error, "name", None) not in (name, None):
            raise UserError(f"--report-to {name}: the package {name} cannot be imported ({error}).") from error
        raise needs_extra(f"--report-to {name}", name, name) from None


def open_sink(name: str, subject: Subject) -> Sink:
    """A tracker's run of a subject. Raises SinkError, or whatever the package does."""
    module, kind = SINKS[name].split(":")
    sink: type[Sink] = getattr(importlib.import_module(module), kind)
    return sink(subject)
