"""Where files are kept that this project makes itself: stand-ins, robot files with absolute paths, random checkpoints."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path


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
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(part, path)
