"""How a simulator process is started: in our own interpreter, or in another one that only shares the protocol."""

from __future__ import annotations

import contextlib
import multiprocessing.spawn
import os
import pickle
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

import simpler_eval
from eval.backends.base import ForeignWorker, OwnWorker, search_path
from eval.rollout.worker import worker_main

ENTRY = Path(__file__).with_name("entry.py")
STDERR = 2
STDERR_BYTES = 4000
"""Of the end of a process's stderr, which may hold the reason of its death."""


def start(worker: OwnWorker | ForeignWorker, threads: int) -> tuple[Process, Connection]:
    """A process of this kind that renders with ``threads`` threads where the renderer is a CPU, and the pipe to it."""
    if isinstance(worker, OwnWorker):
        return start_own(worker_main, worker, threads, os.getpid(), path=worker.path)
    return _start_foreign(worker, threads)


def start_own(
    function: Callable[..., None], *arguments: object, path: Sequence[str] | None = None
) -> tuple[Process, Connection]:
    """Our own interpreter, which calls a function of ours with its end of a pipe and the arguments.

    Not by ``multiprocessing``, which would import the caller's program once more (:mod:`eval.rollout.entry`); and never by
    a fork, which breaks Vulkan and CUDA once they are up.

    Args:
        function: of a module of ours.
        arguments: what it gets after the pipe; pickled.
        path: search path of the process; None: as here and now.

    Returns:
        The process, whose stdout and stderr are our stderr, and the pipe to it.
    """
    ours, theirs = multiprocessing.Pipe(duplex=True)
    child = subprocess.Popen(
        [os.fsdecode(multiprocessing.spawn.get_executable()), "-P", str(ENTRY), str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=STDERR if _is_open(STDERR) else subprocess.DEVNULL,  # a world that prints must not garble a table
    )
    theirs.close()
    begin = (list(path or search_path()), simpler_eval.ROOT, function.__module__, function.__name__, pickle.dumps(arguments))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died at once, which its exit code tells
        ours.send(begin)
    return Process(child), ours


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


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
    return Process(child, stderr), ours


class Process:
    """A process that was started here."""

    def __init__(self, child: subprocess.Popen[bytes], stderr: IO[bytes] | None = None) -> None:
        """stderr: where it is kept aside; None: it is our own, and the user has seen it."""
        self._child, self._stderr = child, stderr

    @property
    def exitcode(self) -> int | None:
        """None while it runs; negative: the signal that killed it."""
        return self._child.poll()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most ``timeout`` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout)

    def interrupt(self) -> None:
        """Ask it to end (SIGTERM)."""
        self._child.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()

    def last_line(self) -> str:
        """What it said last on stderr, for the record of an episode that died with it; empty if that was not kept."""
        if self._stderr is None:
            return ""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - STDERR_BYTES))
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""
