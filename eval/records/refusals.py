"""What a disk refuses, whoever was writing: a library or an encoder may only say that it failed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
OF_THE_DISK = (*FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE)
"""What the system says of a disk that takes no more, or of a folder that is closed."""
ROOM = 2**20
"""Free bytes of a disk below which it is full for an encoder, which does not say what it lacked."""


def disk_refusal(error: BaseException, folder: Path) -> str | None:
    """What the disk of a folder said, if that is why something could not be written there; None if it is not."""
    if isinstance(error, OSError) and error.errno in OF_THE_DISK and _is_below(error.filename, folder):
        return os.strerror(error.errno or 0)
    if said := next((text for text in map(os.strerror, OF_THE_DISK) if text in str(error)), None):
        return said  # an encoder's last words
    try:
        if shutil.disk_usage(folder).free < ROOM:
            return os.strerror(errno.ENOSPC)
    except OSError as gone:
        return os.strerror(gone.errno or 0)
    if not os.access(folder, os.W_OK):
        return os.strerror(errno.EROFS)
    return None


def _is_below(name: object, folder: Path) -> bool:
    """Whether an error is of a file there; one without a name is of what was being written."""
    return name is None or Path(os.fsdecode(name)).absolute().is_relative_to(folder.absolute())  # type: ignore[arg-type]


def remedy(refusal: str) -> str:
    """What to do about it."""
    if refusal == os.strerror(errno.EIO):
        return "look after the disk"
    return "free some space" if refusal in map(os.strerror, FULL) else "make its folder writable again"
