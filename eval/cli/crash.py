"""A fault of the program itself: one line for the user, the traceback in a file."""

from __future__ import annotations

import errno
import os
import platform
import re
import shlex
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from eval.version import VERSION

EXIT_CODE = 70
"""What ``sysexits.h`` has for an internal fault."""
OF_THE_MACHINE = (
    *(errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE),
    *(errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EBUSY),
)
OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""That what a library says of it is taken for what it is."""
NO_LIBRARY = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")
"""What the loader says of a library of the system that a package needs."""
RECURSION = 100
"""Frames of a traceback that are kept; of an endless recursion they say everything."""


def report(error: BaseException, arguments: Sequence[str]) -> str:
    """What happened, and where its traceback was written."""
    path = _written(error, arguments)
    if library := _missing_library(error):
        where = "" if path is None else f" (where it happened: {path})"
        return f"{library}, which a package needs, is not on this machine; `simpler-eval doctor` says what to do{where}."
    if isinstance(error, OSError) and is_of_the_machine(error):
        name = str(error.filename or "")
        where = "" if path is None else f" (where it happened: {path})"
        return f"{error.strerror}{': ' if name else ''}{name if len(name) < 200 else name[:80] + '...'}{where}."
    if is_of_the_machine(error):
        return f"{' '.join(str(error).split())[:300].rstrip('.')}{'' if path is None else f' (where it happened: {path})'}."
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, MemoryError):
        what = f"out of memory ({what}), of which fewer --workers need less"
    where = "its traceback could not be written" if path is None else f"please report it with {path}"
    return f"unexpected fault, {what[:300].rstrip('.')}; {where}."


def is_of_the_machine(error: BaseException) -> bool:
    """Whether the system refused something: a file, a disk, one process more; libraries have errors of their own for that."""
    if _missing_library(error):
        return True
    if isinstance(error, OSError):
        return error.errno in OF_THE_MACHINE
    return any(os.strerror(number) in str(error) for number in OF_A_DISK)


def _missing_library(error: BaseException) -> str | None:
    """Its file's name, if that is what is wrong."""
    found = NO_LIBRARY.search(str(error)) if isinstance(error, (ImportError, OSError)) else None
    return found and found[1]


def _written(error: BaseException, arguments: Sequence[str]) -> Path | None:
    """The file, in the temporary folder or else in the working folder."""
    lines = traceback.format_exception(type(error), error, error.__traceback__, limit=-RECURSION)
    about = (
        f"simpler-eval {VERSION}, Python {platform.python_version()}, {platform.platform()}",
        shlex.join(["simpler-eval", *arguments]),
    )
    text = "\n".join([*about, "", *lines])
    name = f"simpler-eval-fault-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    for folder in (_temporary_folder, Path.cwd):
        try:
            path = folder() / name
            with open(path, "x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            continue
        return path
    return None


def _temporary_folder() -> Path:
    return Path(tempfile.gettempdir())
