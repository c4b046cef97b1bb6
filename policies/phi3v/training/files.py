"""Files and folders that appear whole or not at all, and one line where a disk refuses."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue
from safetensors import SafetensorError

from eval.errors import UserError

OS_ERROR = "(os error "
"""What libraries in Rust say of a disk, whatever type their errors have."""


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns what a disk says into one line."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError | SafetensorError) and OS_ERROR not in str(error):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(
            f"{path} cannot be written: {reason}. What was saved before is whole; make room, and go on with --resume."
        ) from error


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which takes the place of ``path`` when all is in it; nothing is left of it if that fails."""
    part = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir(parents=True)
            yield part
            for file in part.iterdir():
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
