"""Images that were decoded once and are kept, for as long as the machine has memory to spare."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

SPARE = 0.3
"""Share of the machine's memory that is left alone."""
BETWEEN = 64
"""Images that are kept before the memory is looked at again; some 20 MB."""
MACHINE, CONTAINER = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
"""Where Linux tells."""


class KeptImages:
    """Images by whatever key, decoded when they are first asked for. Several threads may ask.

    Args:
        decode: from files to images, in the same order.
        room: whether there is memory for more; once there is not, no more are kept.
    """

    def __init__(self, decode: Callable[[Sequence[bytes]], Sequence[Image]], room: Callable[[], bool]) -> None:
        self._decode, self._room = decode, room
        self._images: dict[Hashable, Image] = {}
        self._full = False
        self._unasked = 0

    def __len__(self) -> int:
        return len(self._images)

    def get(self, files: Mapping[Hashable, Callable[[], bytes]]) -> list[Image]:
        """The image of each key, whose file is read if it must be. They may not be changed."""
        missing = [key for key in files if key not in self._images]
        decoded = dict(zip(missing, self._decode([files[key]() for key in missing]), strict=True)) if missing else {}
        for key, image in decoded.items():
            if self._unasked <= 0 and not self._full:
                self._full, self._unasked = not self._room(), BETWEEN
            if self._full:
                break
            self._unasked -= 1
            self._images[key] = image
        return [decoded[key] if key in decoded else self._images[key] for key in files]


def memory_to_spare() -> bool:
    """Whether more than ``SPARE`` of the memory is free, of the machine and of the container that this runs in.

    Where neither tells (there is no ``/proc/meminfo``), there is none.
    """
    shares = [share for share in (_of_machine(), _of_container()) if share is not None]
    return bool(shares) and min(shares) > SPARE


def _of_machine() -> float | None:
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
        lines = dict(line.split(":", 1) for line in MACHINE.read_text().splitlines())
        return float(lines["MemAvailable"].split()[0]) / float(lines["MemTotal"].split()[0])
    return None


def _of_container() -> float | None:
    with contextlib.suppress(OSError, ValueError, KeyError, ZeroDivisionError):
        limit = (CONTAINER / "memory.max").read_text().strip()
        if limit != "max":
            files = dict(line.split() for line in (CONTAINER / "memory.stat").read_text().splitlines())["inactive_file"]
            used = int((CONTAINER / "memory.current").read_text()) - int(files)  # pages of files are given up at need
            return 1 - used / int(limit)
    return None
