"""Ray-traced images are drawn by one process at a time on each GPU.

Time slices of several processes that trace at once cost 1.7 times as much as one after the other (results/benchmarks/h100.md);
raster images gain from being drawn at once. The turn is a lock of the kernel on a file, one for each device of a machine: it
ends with its holder, however that ends, and is the same for all runs of a user. It orders work and guards nothing, so nobody
waits for ever: without a place for the file, behind a holder that hangs, or after a minute an image is drawn all the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
import socket
import sys
import time
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from types import TracebackType

from eval.assets.cache import cache_folder

POLL_SECONDS, SOONER_SECONDS = 0.002, 2.0
"""How often one who waits asks (an image takes 10 ms or more), and after what wait twice as often: whoever asks more often is
the likelier next, so that nobody waits much longer than the others."""
LOOK_SECONDS = 0.25
"""How often one who waits looks who holds the turn."""
HANGING_SECONDS = 10.0
"""After which a holder counts as hanging; the dearest image, 512 rays a pixel in a closed room, takes 5."""
LONGEST_SECONDS = 60.0
"""After which an image is drawn although others still take turns."""


def drawing_turn(device: str | None) -> AbstractContextManager[object]:
    """What is held around the drawing of a ray-traced image.

    ``device``: address of the GPU, the same in all processes; None: nothing is held, as on a CPU.
    """
    return contextlib.nullcontext() if device is None else _turn(device)


@cache
def _turn(device: str) -> DrawingTurn:
    return DrawingTurn(device)


class DrawingTurn:
    """A turn on one device, for the images of this process one after the other."""

    def __init__(self, device: str) -> None:
        """``device``: its address; opens nothing yet."""
        self._device = device
        self._file: int | None = None
        self._opened = self._held = False
        self._hanging: bytes | None = None
        """Who held the turn when it was given up."""

    def __enter__(self) -> DrawingTurn:
        if not self._opened:
            # The first image goes without: the driver compiles in it, on the CPU, which all processes may do at once.
            self._open()
        elif self._file is not None:
            self._held = self._wait(self._file)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._held and self._file is not None:
            self._held = False
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _open(self) -> None:
        self._opened = True
        try:
            path = turn_file(self._device)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            self._try(self._file)  # a file system may have no locks
            fcntl.flock(self._file, fcntl.LOCK_UN)
        except OSError as error:
            self._file = None
            self._say(f"there is no place for its lock ({error})")

    def _wait(self, file: int) -> bool:
        """Whether the turn was got."""
        if self._try(file):
            return True
        holder = _read(file)
        if holder == self._hanging:  # still the same
            return False
        begun = since = looked = time.monotonic()
        while not self._try(file):
            now = time.monotonic()
            time.sleep(POLL_SECONDS / (1.0 + (now - begun) / SOONER_SECONDS))
            if now - looked < LOOK_SECONDS:
                continue
            looked = now
            if (seen := _read(file)) != holder:
                holder, since = seen, now
            if now - since > HANGING_SECONDS:
                self._hanging = holder
                self._say(f"process {holder.decode(errors='replace').partition(' ')[0]} has been at it for {now - since:.0f} s")
                return False
            if now - begun > LONGEST_SECONDS:
                return False
        return True

    def _try(self, file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._hanging = None
        with contextlib.suppress(OSError):  # a full disk; the lock holds without the name
            os.pwrite(file, f"{os.getpid():<10} {time.monotonic_ns():<20}".encode(), 0)
        return True

    def _say(self, why: str) -> None:
        if _is_first_of_group(self._device):
            text = f"simpler-eval: ray-traced images wait for no turn on the GPU {self._device}, which is slower: {why}."
            print(text, file=sys.stderr, flush=True)


def turn_file(device: str) -> Path:
    """The file of a device's lock, the same for all runs of a user on this machine; the folder need not be there."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "simpler-eval" if runtime and os.access(runtime, os.W_OK) else cache_folder() / "turns"
    host = platform.node()  # home may be shared by several
    return folder / re.sub(r"[^\w.-]", "-", f"{host}-{device}.lock")


def _read(file: int) -> bytes:
    try:
        return os.pread(file, 40, 0)
    except OSError:
        return b""


def _is_first_of_group(device: str) -> bool:
    """Whether no other process of this run (its process group) has said the same: a run has many workers.

    A name that the first one binds tells the others; it needs no file, and the kernel frees it when the process ends.
    """
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0simpler-eval-{os.getpgrp()}-{device}")
    except OSError:
        mark.close()
        return False
    mark.detach()  # it stays bound
    return True
