"""The original data at one commit: names and checksums (:mod:`eval.assets.checksums`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path

from eval.assets.checksums import file_checksum
from task_configs.schema.parsing import StrictModel, parse


class Manifest(StrictModel):
    """``task_configs/original_assets.json``."""

    about: str
    repository: str
    commit: str
    files: dict[str, str]
    """Checksum by name."""


@cache
def original_assets() -> Manifest:
    """The files that the tasks load, at the commit that our numbers were taken from."""
    place = resources.files("task_configs") / "original_assets.json"
    return parse(Manifest, json.loads(place.read_text(encoding="utf-8")), str(place))


def differing(folder: Path, files: Mapping[str, str], names: Iterable[str] | None = None) -> dict[str, str]:
    """Files of a folder that are not as listed: ``absent``, or the checksum they have instead."""
    differences = {}
    for name in files if names is None else names:
        path = folder / name
        actual = file_checksum(path) if path.is_file() else "absent"
        if actual != files[name]:
            differences[name] = actual
    return differences
