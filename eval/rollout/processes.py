"""How a simulator process is started: in our own interpreter, or in another one that only shares the protocol."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import tempfile
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import IO, Protocol

import simpler_eval
from eval.backends.base import ForeignWorker, OwnWorker

STDERR_BYTES = 4000
"""Of the end of a process's stderr, which may hold the reason of its death."""


class Process(Protocol):
    """What the pool does with a process."""

    @property
    def exitcode(self) -> int | None:
        """None while it runs; negative: the signal that killed it."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most ``timeout`` seconds."""

    def kill(self) -> None:
        """End it at once."""

    def last_line(self) -> str:
        """What it said last on stderr, if that was kept."""


def start(worker: OwnWorker | ForeignWorker, threads: int) -> tuple[Process, Connection]:
    """A process of this kind that renders with ``threads`` threads where the renderer is a CPU, and the pipe to it."""
    return _start_own(worker, threads) if isinstance(worker, OwnWorker) else _start_foreign(worker, threads)


def _start_own(worker: OwnWorker, threads: int) -> tuple[Process, Connection]:
    context = multiprocessing.get_context("spawn")  # fork after Vulkan or CUDA is up breaks both
    ours, theirs = context.Pipe(duplex=True)
    process = context.Process(target=simpler_eval.work, args=(theirs, worker, threads, os.getpid()), daemon=True)
    process.start()
    theirs.close()
    return OwnProcess(process), ours


def _start_foreign(worker: ForeignWorker, threads: int) -> tuple[Process, Connection]:
    ours, theirs = multiprocessing.Pipe(duplex=True)
    environment = {**os.environ, "LP_NUM_THREADS": os.environ.get("LP_NUM_THREADS", str(threads))}
    stderr = tempfile.TemporaryFile()  # noqa: SIM115  the process owns it from here on
    child = subprocess.Popen(
        [worker.python, str(worker.script), "serve", str(theirs.fileno()), str(os.getpid())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # simulators are talkative
        stderr=stderr,
        env=environment,
    )
    theirs.close()
    return ForeignProcess(child, stderr), ours


class OwnProcess:
    """A process of ``multiprocessing``; its stderr is the run's own."""

    def __init__(self, process: SpawnProcess) -> None:
        self._process = process

    @property
    def exitcode(self) -> int | None:
        """None while it runs; negative: the signal that killed it."""
        return self._process.exitcode

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most ``timeout`` seconds."""
        self._process.join(timeout)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def last_line(self) -> str:
        """Nothing: the user has seen it."""
        return ""


class ForeignProcess:
    """A ``subprocess.Popen`` whose stderr is kept aside."""

    def __init__(self, child: subprocess.Popen[bytes], stderr: IO[bytes]) -> None:
        self._child, self._stderr = child, stderr

    @property
    def exitcode(self) -> int | None:
        """None while it runs; negative: the signal that killed it."""
        return self._child.poll()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most ``timeout`` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout)

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()

    def last_line(self) -> str:
        """What it said last on stderr, for the record of an episode that died with it."""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - STDERR_BYTES))
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""
