"""One checkpoint's run in a process of its own, so that one that breaks costs no other."""

from __future__ import annotations

import contextlib
import os
import signal
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from eval.backends.protocol import live_with_parent, one_line
from eval.backends.render_devices import render_devices
from eval.backends.selection import OWN
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.options import RunOptions
from eval.records.results import EpisodeRecord
from eval.rollout.closing import Closing
from eval.rollout.run import Session, play


@dataclass(frozen=True)
class Work:
    """What the process plays."""

    plan: tuple[EpisodeSpec, ...]
    options: RunOptions
    out: Path
    environment: Mapping[str, str]
    """Makes its GPU, if it has one of its own, the only one that it sees."""


@dataclass(frozen=True)
class Course:
    """So much is done."""

    done: int
    of: int


@dataclass(frozen=True)
class Said:
    """A line for the user."""

    line: str


@dataclass(frozen=True)
class Over:
    """The run is over."""

    problem: str | None
    """Why it is not complete, where that is known."""


Message = Course | Said | Over


def play_checkpoint(connection: Connection, work: Work, parent: int) -> None:
    """Play a run and say how it goes; SIGTERM stops it like Ctrl-C, what is finished is kept."""
    live_with_parent(parent)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.update(work.environment)
    problem: str | None = None
    try:
        problem = _play(connection, work)
    except KeyboardInterrupt:
        problem = "stopped"
    except UserError as error:
        problem = str(error)
    except Exception as error:
        traceback.print_exc()
        problem = one_line(error)
    with contextlib.suppress(OSError):
        connection.send(Over(problem))


def _play(connection: Connection, work: Work) -> str | None:
    """Says what is not on disk although it was asked for."""
    unkept = False
    options, total, done = work.options, len(work.plan) * work.options.repeat, 0
    if work.environment and options.world == OWN and any(device.cuda == 0 for device in render_devices()):
        options = options.model_copy(update={"render_device": "cuda:0"})

    def start(_: Path, before: list[EpisodeRecord]) -> None:
        nonlocal done
        done = len(before)
        connection.send(Course(done, total))

    def listen(_: EpisodeRecord) -> None:
        nonlocal done
        done += 1
        connection.send(Course(done, total))

    def end(closing: Closing) -> None:
        nonlocal unkept
        unkept = closing.unkept
        for line in closing.lines:
            connection.send(Said(line))

    play(work.plan, options, session=Session(work.out, None, start, listen, on_end=end))
    return "not all that was asked for is on disk" if unkept else None
