"""The cache of files that this project generates: stand-ins, robot files with absolute paths, random checkpoints."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from eval.assets.checksums import checksum, file_checksum


@cache
def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/simpler-eval``, or a private temporary folder where home cannot be written."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base) / "simpler-eval"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"simpler-eval-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears complete or not at all; safe when several processes write the same one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class GeneratedFiles:
    """Files of the cache that deterministic code generates, each with its checksum in a folder of its own.

    The folder is named after the version of that code, so that a changed generator never meets an old file. Processes
    that race write the same bytes.
    """

    kind: str
    """A name for what is generated."""
    version: str
    """Of the code that generates it."""
    root: Path = field(default_factory=lambda: cache_folder())

    def path(self, name: str) -> Path:
        """Where a file lies, or will lie."""
        return self.root / self.kind / self.version / "files" / name

    def _list(self, name: str) -> Path:
        return self.root / self.kind / self.version / "checksums" / name

    def is_intact(self, name: str) -> bool:
        """Whether a file, and those that it was written ``beside``, are there with the content that was written."""
        try:
            listed = [line.split(" ", 1) for line in self._list(name).read_text().splitlines()]
            return bool(listed) and all(file_checksum(self.path(file)) == expected for expected, file in listed)
        except (OSError, ValueError):  # never written, lost, or a list that is damaged itself
            return False

    def write(self, name: str, content: bytes, beside: Sequence[str] = ()) -> None:
        """Write a file; ``beside``: names of files, written before, without which it is of no use."""
        write_whole(self.path(name), content)
        listed = {name: checksum(content)} | {other: file_checksum(self.path(other)) for other in beside}
        write_whole(self._list(name), "".join(f"{value} {file}\n" for file, value in listed.items()).encode())
