"""Several processes that train one model: they are started here, and watched; the first one's reports are passed on."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from eval.backends.protocol import live_with_parent, one_line
from eval.errors import UserError
from policies.training import Job, Monitor, Place, StoppedEarly, Trained, find_trainer

GRACE = 3.0
"""Seconds in which the others may say what they died of, too: what was the cause is told, not what followed from it."""
SAVED = "what was saved before is whole; go on with --resume"


def train_together(policy: str, job: Job, monitor: Monitor) -> Trained:
    """Train with as many processes as ``--gpus`` says.

    Args:
        policy: which one.
        job: of all of them.
        monitor: is told by the first of them, and lives in this process.

    Raises:
        UserError: what a process raised, or that one died; the others are ended.
    """
    count = job.settings.gpus
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="simpler-eval-") as folder, contextlib.ExitStack() as stack:
        members = []
        for rank in range(count):
            ours, theirs = context.Pipe()
            place = Place(rank, count, Path(folder) / "meeting")
            process = context.Process(
                target=_work, args=(policy, replace(job, place=place), theirs, os.getpid()), name=f"train-{rank}"
            )
            process.start()
            theirs.close()
            members.append(_Member(rank, process, ours))
            stack.callback(members[-1].end)
        return _watched(members, monitor, job.out)


class _Member:
    """A process, seen from the one that started it."""

    def __init__(self, rank: int, process: BaseProcess, pipe: Connection) -> None:
        self.rank, self.process, self.pipe = rank, process, pipe
        self.open = True
        self.trained: Trained | None = None
        self.refusal: UserError | None = None
        self.fault: tuple[str, str] | None = None
        """In a line, and its traceback."""

    def hear(self, monitor: Monitor) -> None:
        """Answer what it asks, or take down how it ended."""
        try:
            kind, *content = self.pipe.recv()
            if kind == "call":
                self.pipe.send(_answer(monitor, *content))
            else:
                setattr(self, kind, content[0])
        except (EOFError, OSError):
            self.open = False

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than it should."""
        return bool(self.refusal or self.fault or self.process.exitcode)

    @property
    def consequence(self) -> int:
        """The lower, the less its end follows from another one's: killed, refused, failed."""
        code = self.process.exitcode
        return 0 if code is not None and code < 0 else 1 if self.refusal else 2

    def error(self, out: Path) -> UserError:
        """What it ended of; the traceback of a fault of the program goes to a file."""
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
            memory = "; was there too little memory?" if name == "SIGKILL" else ""
            return UserError(f"Process {self.rank + 1} of the training was killed ({name}){memory}; {SAVED}.")
        if self.refusal is not None:
            return self.refusal
        line, text = self.fault or (f"exit code {code}", "")
        path = out / f"fault-of-process-{self.rank + 1}.txt"
        with contextlib.suppress(OSError):
            path.write_text(text)
        return UserError(f"Process {self.rank + 1} of the training failed ({line}; see {path}); {SAVED}.")

    def end(self) -> None:
        """At once; one that has ended stays as it is."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.pipe.close()


def _watched(members: Sequence[_Member], monitor: Monitor, out: Path) -> Trained:
    while any(member.process.is_alive() or member.open for member in members):
        _hear(members, monitor, None)
        if any(member.failed for member in members):
            deadline = time.monotonic() + GRACE
            while time.monotonic() < deadline and any(member.process.is_alive() or member.open for member in members):
                _hear(members, monitor, deadline - time.monotonic())
            raise min((member for member in members if member.failed), key=lambda member: member.consequence).error(out)
    trained = members[0].trained
    if trained is None:
        raise UserError(f"The first process of the training ended without a result; {SAVED}.")
    return trained


def _hear(members: Sequence[_Member], monitor: Monitor, seconds: float | None) -> None:
    """Wait until something happens, and take it in."""
    pipes: list[Any] = [member.pipe for member in members if member.open]
    sentinels: list[Any] = [member.process.sentinel for member in members if member.process.is_alive()]
    if not pipes and not sentinels:  # the last one has ended since it was asked for; nothing would ever happen
        return
    ready = wait([*pipes, *sentinels], seconds)
    for member in members:
        if member.open and member.pipe in ready:
            member.hear(monitor)


def _answer(monitor: Monitor, name: str, arguments: Sequence[Any]) -> tuple[Any, str | None]:
    """(what the monitor gives back, what it refuses)."""
    try:
        return getattr(monitor, name)(*arguments), None
    except UserError as error:
        return None, str(error)


# ---- in the processes ------------------------------------------------------------------------------------------------


class _Relay:
    """The monitor of the first process: passes everything on."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def _ask(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the monitor gives back
        self._pipe.send(("call", name, arguments))
        given, refused = self._pipe.recv()
        if refused is not None:
            raise UserError(refused)
        return given

    def begun(self, step: int) -> None:
        self._ask("begun", step)

    def say(self, line: str) -> None:
        self._ask("say", line)

    def log(self, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        self._ask("log", step, steps, dict(metrics))

    def lacks_evaluation(self, step: int) -> bool:
        return bool(self._ask("lacks_evaluation", step))

    def evaluate(self, step: int, checkpoint: Path) -> Mapping[str, float]:
        found: Mapping[str, float] = self._ask("evaluate", step, checkpoint)
        return found

    def stopping(self) -> bool:
        return bool(self._ask("stopping"))


class _Silent:
    """The monitor of all others."""

    def begun(self, step: int) -> None:
        """The first one says it."""

    def say(self, line: str) -> None:
        """The first one says it."""

    def log(self, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """The first one says it."""

    def lacks_evaluation(self, step: int) -> bool:
        return False

    def evaluate(self, step: int, checkpoint: Path) -> Mapping[str, float]:
        return {}

    def stopping(self) -> bool:
        return False


def _work(policy: str, job: Job, pipe: Connection, parent: int) -> None:
    live_with_parent(parent)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # where all are asked to end, the parent asks the first one to save
    assert job.place is not None
    try:
        pipe.send(("trained", find_trainer(policy)(job, _Silent() if job.place.rank else _Relay(pipe))))
    except UserError as error:
        kind = StoppedEarly if isinstance(error, StoppedEarly) else UserError
        pipe.send(("refusal", kind(str(error))))
    except Exception as error:
        line = f"{type(error).__name__}: {one_line(error)[:200]}"
        pipe.send(("fault", (line, traceback.format_exc())))
