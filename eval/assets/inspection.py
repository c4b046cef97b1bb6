"""Inspecting an asset file: its checksum, whether it is broken, and which files it names."""

from __future__ import annotations

import contextlib
import stat
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from eval.assets import checksums, health, references
from eval.assets.cache import cache_folder, write_whole


class Inspection(BaseModel):
    """The result for one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checksum: str
    """See :mod:`eval.assets.checksums`; empty if the file cannot be read."""
    problem: str | None = None
    """Why the file cannot be what its name says; None if it can."""
    references: tuple[str, ...] = ()
    """Files that it names, relative to its folder; they need not exist."""


Inspect = Callable[[Path], Inspection]


def inspect(path: Path) -> Inspection:
    """Read a file, once in a process as long as its size and time of modification stay."""
    if reason := _no_file(path):
        return Inspection(checksum="", problem=reason)
    status = path.stat()
    return _inspect(path, status.st_size, status.st_mtime_ns)


def _no_file(path: Path) -> str | None:
    """Why what lies there is no file that can be read: a folder, a link that leads nowhere; None if it is one."""
    try:
        kind = path.stat().st_mode
    except OSError as error:
        nowhere = isinstance(error, FileNotFoundError)
        return "it is a link that leads nowhere" if nowhere else f"it cannot be read ({error.strerror})"
    if stat.S_ISREG(kind):
        return None
    return f"it is {'a folder' if stat.S_ISDIR(kind) else 'a pipe or a device'}, no file"


@cache
def _inspect(path: Path, size: int, modified: int) -> Inspection:
    try:
        content = path.read_bytes()
    except OSError as error:
        return Inspection(checksum="", problem=f"it cannot be read ({error.strerror})")
    return Inspection(
        checksum=checksums.checksum(content),
        problem=health.content_problem(path, content),
        references=references.references(path, content),
    )


def find_problem(path: Path, inspect: Inspect = inspect) -> tuple[Path, str] | None:
    """The first broken file among this one and the textures and materials it names, with the reason; None if all are well.

    A file that is named but absent is no problem here: the original has such names too.
    """
    for file in (path, *companions(path, inspect)):
        if reason := inspect(file).problem:
            return file, reason
    return None


def companions(path: Path, inspect: Inspect = inspect) -> list[Path]:
    """Materials and textures that a mesh names, directly or through a material, as far as they exist; each once."""
    present: dict[Path, None] = {}
    queue = [path]
    while queue:
        file = queue.pop()
        for name in inspect(file).references if file.suffix.lower() != ".urdf" else ():
            named = file.parent / name
            if named not in present and named.is_file():
                present[named] = None
                queue.append(named)
    return list(present)


class _Stored(BaseModel):
    """An inspection, and the file's size [bytes] and time of modification [ns] when it was made."""

    size: int
    modified: int
    inspection: Inspection


class _Store(RootModel[dict[str, _Stored]]):
    """By absolute path."""


SETTLED_NS = 2_000_000_000
"""A file that was modified more recently may change again without a change of its time stamp: it is not stored."""


class StoredInspections:
    """Inspections that outlive the process, by path, size and time of modification; used like :func:`inspect`.

    Any number of processes may read and save at once: a save that is lost to another costs no more than a second look.
    """

    def __init__(self, file: Path | None = None) -> None:
        """file: where they are stored; default: in the user's cache, under a name made of the code that inspects."""
        self._file = file or cache_folder() / "inspections" / f"{_code_version()}.json"
        self._known = self._read()
        self._new: dict[str, _Stored] = {}

    def __call__(self, path: Path) -> Inspection:
        """The stored inspection of the file, or a new one."""
        if _no_file(path):
            return inspect(path)
        status = path.stat()
        name = str(path)
        stored = self._new.get(name) or self._known.get(name)
        if stored is not None and (stored.size, stored.modified) == (status.st_size, status.st_mtime_ns):
            return stored.inspection
        inspection = inspect(path)
        if inspection.checksum and time.time_ns() - status.st_mtime_ns > SETTLED_NS:
            self._new[name] = _Stored(size=status.st_size, modified=status.st_mtime_ns, inspection=inspection)
        return inspection

    def save(self) -> None:
        """Add what is new to the file; files that are gone are forgotten. Where it cannot be written, nothing is saved."""
        if not self._new:
            return
        everything = {**self._read(), **self._new}
        present = {name: stored for name, stored in everything.items() if Path(name).is_file()}
        with contextlib.suppress(OSError):
            write_whole(self._file, _Store(present).model_dump_json().encode())

    def _read(self) -> dict[str, _Stored]:
        try:
            return _Store.model_validate_json(self._file.read_bytes()).root
        except (OSError, ValidationError):  # none yet, or damaged: everything is looked at again
            return {}


@cache
def _code_version() -> str:
    """A changed check never meets old verdicts."""
    sources = [Path(str(module.__file__)).read_bytes() for module in (checksums, health, references)]
    return checksums.checksum(b"".join(sources))[:12]
