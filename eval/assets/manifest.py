"""The original data at one commit: names and checksums. A checksum is git's own blob id, so git's lists can be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path

from task_configs.schema.parsing import StrictModel, parse


class Manifest(StrictModel):
    """``task_configs/original_assets.json``."""

    about: str
    repository: str
    commit: str
    files: dict[str, str]
    """Blob id by name."""


@cache
def original_assets() -> Manifest:
    """The files that the tasks load, at the commit that our numbers were taken from."""
    place = resources.files("task_configs") / "original_assets.json"
    return parse(Manifest, json.loads(place.read_text(encoding="utf-8")), str(place))


def blob_id(path: Path) -> str:
    """SHA-1 of a file as git computes it."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def differing(folder: Path, files: Mapping[str, str], names: Iterable[str] | None = None) -> dict[str, str]:
    """Files of a folder that are not as listed: ``absent``, or the blob id they have instead."""
    found = {}
    for name in files if names is None else names:
        path = folder / name
        actual = blob_id(path) if path.is_file() else "absent"
        if actual != files[name]:
            found[name] = actual
    return found
