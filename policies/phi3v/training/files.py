"""Files and folders that appear whole or not at all, and one line where a disk refuses."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import JsonValue
from safetensors import SafetensorError

from eval.errors import UserError
from policies.training import StoppedEarly

OS_ERROR = "(os error "
"""What libraries in Rust say of a disk, whatever type their errors have."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PATIENCE = 0.2
"""Seconds between two looks at a lock."""


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns what a disk says into one line."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError | SafetensorError) and OS_ERROR not in str(error):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        full = any(os.strerror(number) in reason for number in FULL)
        remedy = "make room" if full else "see to it that it can be"
        raise UserError(
            f"{path} cannot be written: {reason}. What was saved before is whole; {remedy}, and go on with --resume."
        ) from error


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which takes the place of ``path`` when all is in it; nothing is left of it if that fails."""
    part = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir(parents=True)
            usual = part / ".mode"
            usual.touch()
            mode = usual.stat().st_mode
            usual.unlink()
            yield part
            for file in part.iterdir():
                file.chmod(stat.S_IMODE(mode))  # some libraries write for the user alone
                _to_disk(file)
            if path.exists():
                old = path.with_name(f".{path.name}.old")
                shutil.rmtree(old, ignore_errors=True)
                path.rename(old)
                part.rename(path)
                shutil.rmtree(old, ignore_errors=True)
            else:
                part.rename(path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def tidy(folder: Path) -> None:
    """Finish or remove what :func:`whole_folder` left when its process was killed; nobody else may be writing there."""
    for part in folder.glob(".*.part"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
    for old in folder.glob(".*.old"):
        path = folder / old.name.removeprefix(".").removesuffix(".old")
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            with disk_errors(path):
                old.rename(path)


def write_json(path: Path, content: JsonValue) -> None:
    """Replace a file."""
    part = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        try:
            part.write_text(json.dumps(content, indent=1) + "\n")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """What a full disk would only say later is said now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def one_at_a_time(lock: Path, stopping: Callable[[], bool], say: Callable[[str], None]) -> Iterator[bool]:
    """One process after the other; the system takes the lock off one that dies.

    Args:
        lock: a file, made if it is not there.
        stopping: whether to wait no longer.
        say: prints a line, if there is somebody to wait for.

    Yields:
        Whether it is so; a disk that knows no locks keeps nobody waiting.

    Raises:
        StoppedEarly: it is to wait no longer.
    """
    descriptor, told = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644), False
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if stopping():
                    raise StoppedEarly("stopped while another process prepared the images that both need") from None
                if not told:
                    say("another process prepares the images that this one needs, too; waiting for it")
                told = True
                time.sleep(PATIENCE)
                continue
            except OSError:
                yield False
                return
            yield True
            return
    finally:
        os.close(descriptor)
