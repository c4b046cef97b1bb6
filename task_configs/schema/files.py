"""Reading a file that somebody else may have damaged: what cannot be read is one line, and nothing that is no file hangs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from eval.errors import UserError


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """Content of a regular file of at most ``limit`` bytes. Raises UserError for anything else: a folder, a pipe, a device, a
    link that leads nowhere, a file without permission.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe without a writer would wait for one
    except FileNotFoundError:
        what = f"it is a link to {os.readlink(path)}, which is not there" if path.is_symlink() else "there is no such file"
        raise UserError(f"{path}: cannot be read ({what}).") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({_reason(error)}).") from None
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            kind = "a folder" if stat.S_ISDIR(about.st_mode) else "a pipe or a device"
            raise UserError(f"{path}: cannot be read (it is {kind}, no file).")
        if limit is not None and about.st_size > limit:
            raise UserError(f"{path}: has {about.st_size} bytes; more than {limit} are not read. Is it the right file?")
        with open(handle, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({_reason(error)}).") from None
    finally:
        os.close(handle)


def read_text(path: Path, limit: int | None = None) -> str:
    """A UTF-8 text file, with or without a byte order mark. Raises UserError as :func:`read_bytes` does."""
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no UTF-8 text file (byte {error.start + 1}); save it as UTF-8.") from None


def is_file(path: Path) -> bool:
    """Whether there is a regular file; False, too, for a name that the system does not take or does not let us look at."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder; False, too, for a name that the system does not take or does not let us look at."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_missing(path: Path) -> bool:
    """Whether nothing is there, not even a link; False where the system does not let us look."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    except OSError:
        return False
    return False


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
