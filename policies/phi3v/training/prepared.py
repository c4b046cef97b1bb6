"""The images of a dataset that are prepared so far: two files that grow episode by episode, so that whatever ends the process
costs the episode under way.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

BLOCK = 2**24
"""Bytes that are read at a time."""


@dataclass(frozen=True)
class PreparedEpisode:
    """What is kept of an episode of T steps."""

    images: list[bytes]
    traces: list[bytes]
    """Empty where there is none."""
    values: NDArray[np.float64]
    """(T, 7)"""
    instructions: list[str]


@dataclass(frozen=True)
class _Entry:
    """The line of an episode."""

    sizes: list[int]
    """Bytes of the plain image and of that with a trace of each step, in turn."""
    values: list[list[float]]
    instructions: list[str]
    checksum: int
    """Of all its images: after a loss of power, a file may be as long as it was and hold nothing."""


class Prepared:
    """The images of a dataset on their way to their place. Use as a context manager; one process at a time.

    Args:
        data: file of all images, one behind the other, which appears when it is whole.
        mark: what tells apart the files of processes that cannot wait for each other; "" where they do.
    """

    def __init__(self, data: Path, mark: str = "") -> None:
        self._data = data
        self._part, self._lines = (data.with_name(f".{data.name}{mark}.{end}") for end in ("part", "lines"))
        self._entries: list[_Entry] = []

    def __enter__(self) -> Prepared:
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        for file in (self._images, self._log):
            with contextlib.suppress(OSError):  # a full disk has said so already, and what it lacks is not counted
                file.close()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, episode: PreparedEpisode) -> None:
        """Keep one more. Raises OSError if the disk refuses; those before it are whole all the same."""
        parts = [part for pair in zip(episode.images, episode.traces, strict=True) for part in pair]
        content = b"".join(parts)
        entry = _Entry([*map(len, parts)], episode.values.tolist(), episode.instructions, zlib.crc32(content))
        self._images.write(content)
        self._images.flush()
        self._log.write(json.dumps(entry.__dict__).encode() + b"\n")
        self._log.flush()
        self._entries.append(entry)

    def finish(self, index: Path) -> None:
        """Put all into its place, the images and what is known of them, which appears last. Raises OSError."""
        os.fsync(self._images.fileno())
        known: dict[str, int] = {}
        text = [known.setdefault(said, len(known)) for entry in self._entries for said in entry.instructions]
        ends = np.cumsum([size for entry in self._entries for size in entry.sizes], dtype=np.int64)
        lengths = [len(entry.values) for entry in self._entries]
        part_index = index.with_name(f".{index.name}.part.npz")
        try:
            with part_index.open("wb") as file:
                np.savez(
                    file, places=np.column_stack([np.append(0, ends[:-1]), ends]).reshape(-1, 2, 2),
                    values=np.concatenate([np.array(entry.values, np.float64).reshape(-1, 7) for entry in self._entries]),
                    texts=np.array(list(known)), text=np.array(text), episode=np.repeat(np.arange(len(lengths)), lengths),
                )  # fmt: skip
                file.flush()
                os.fsync(file.fileno())
            self._part.replace(self._data)
            part_index.replace(index)
        finally:
            part_index.unlink(missing_ok=True)
        self._lines.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what is there: nobody can go on with it."""
        for path in (self._part, self._lines):
            path.unlink(missing_ok=True)

    def _begin(self) -> None:
        """Open both files behind the last episode that is whole."""
        self._images, self._log = (path.open("r+b" if path.exists() else "w+b") for path in (self._part, self._lines))
        size, kept, lines = os.fstat(self._images.fileno()).st_size, 0, 0
        for line in self._log:
            entry = _entry_of(line)
            if entry is None or kept + sum(entry.sizes) > size or self._checksum(sum(entry.sizes)) != entry.checksum:
                break
            self._entries.append(entry)
            kept, lines = kept + sum(entry.sizes), lines + len(line)
        for file, end in ((self._images, kept), (self._log, lines)):
            file.seek(end)
            file.truncate()

    def _checksum(self, size: int) -> int:
        """Of so many bytes from where the file of images is read."""
        found = 0
        while size > 0 and (block := self._images.read(min(size, BLOCK))):
            found, size = zlib.crc32(block, found), size - len(block)
        return found


def _entry_of(line: bytes) -> _Entry | None:
    """None for a line that was torn, or is of something else."""
    try:
        return _Entry(**json.loads(line)) if line.endswith(b"\n") else None
    except (ValueError, TypeError):
        return None
