"""A folder that one process at a time may write."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from eval.errors import UserError

LOCK_FILE = ".lock"


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """As long as it lasts, no other process is in it; the system takes the lock off a process that dies.

    Raises:
        UserError: another process is in it.
        OSError: the folder is not there, or cannot be written.
    """
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"Another process is writing {folder}; wait for it or stop it, or choose another --out.") from None
        yield
    finally:
        os.close(descriptor)
