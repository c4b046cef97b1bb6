"""Where a page finds the videos of its runs: by relative links, or as files of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from eval.records.folder import RunData, disk_errors

FOLDER = "media"
"""Of the page's folder, for files of its own."""


class Media:
    """Links from a page to files of run folders.

    Args:
        folder: that of the page.
        runs: whose files are linked.
        own: whether the page gets files of its own (hard links where the disk allows, else copies), so that its folder can be
            moved and served alone; else the links lead into the run folders.
    """

    def __init__(self, folder: Path, runs: Sequence[RunData], own: bool) -> None:
        self._folder, self._own = folder, own
        self._numbers = {run.path: number for number, run in enumerate(runs, 1)}

    def link(self, home: Path, name: str | None) -> str | None:
        """A relative URL, percent-encoded, of a file in the folder of a run; None without a name, or for a file that is not
        there (any more) or not the run's.

        Raises UserError if the disk refuses a file of the page's own.
        """
        if name is None or "\0" in name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            return None
        file = home / name
        if not file.is_file():
            return None
        if self._own:
            copy = self._folder / FOLDER / str(self._numbers[home]) / name
            with disk_errors(self._folder):
                _give(file, copy)
            file = copy
        return quote(os.fsencode(os.path.relpath(file, self._folder)))


def _give(file: Path, copy: Path) -> None:
    there, stat = copy.stat() if copy.exists() else None, file.stat()
    if there is not None and (there.st_size, there.st_mtime_ns) == (stat.st_size, stat.st_mtime_ns):
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    try:
        os.link(file, copy)
    except OSError:  # another disk, or one without links
        shutil.copy2(file, copy)
