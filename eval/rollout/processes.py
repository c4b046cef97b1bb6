"""How a simulator process is started: in our own interpreter, or in another one that only shares the protocol."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import tempfile
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import IO, Protocol

import simpler_eval

WORDS_BYTES = 4000


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


def start_own(world: str, assets: str | None, rt: str, threads: int) -> tuple[Process, Connection]:
    """A worker of ours (:mod:`eval.rollout.worker`) that plays in the module ``world``."""
    context = multiprocessing.get_context("spawn")  # fork after Vulkan or CUDA is up breaks both
    ours, theirs = context.Pipe(duplex=True)
    process = context.Process(target=simpler_eval.work, args=(theirs, world, assets, rt, threads, os.getpid()), daemon=True)
    process.start()
    theirs.close()
    return OwnProcess(process), ours


def start_foreign(python: str, script: Path, threads: int) -> tuple[Process, Connection]:
    """``python script serve FD PARENT``, which speaks the same protocol over the socket ``FD``."""
    ours, theirs = multiprocessing.Pipe(duplex=True)
    environment = {**os.environ, "LP_NUM_THREADS": os.environ.get("LP_NUM_THREADS", str(threads))}
    words = tempfile.TemporaryFile()  # noqa: SIM115  the process owns it from here on
    child = subprocess.Popen(
        [python, str(script), "serve", str(theirs.fileno()), str(os.getpid())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # simulators are talkative
        stderr=words,
        env=environment,
    )
    theirs.close()
    return ForeignProcess(child, words), ours


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

    def __init__(self, child: subprocess.Popen[bytes], words: IO[bytes]) -> None:
        self._child, self._words = child, words

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
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - WORDS_BYTES))
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""
