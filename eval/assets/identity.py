"""One text for the asset files that decide a run's results: runs may be pooled only if theirs are equal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from eval.assets.checksums import checksum
from eval.assets.inspection import StoredInspections, companions
from eval.assets.manifest import original_assets
from eval.assets.needed import needed_files
from eval.assets.resolver import Assets, is_stand_in_pack, mesh_name
from eval.assets.stand_ins import generator_version
from eval.episode import EpisodeSpec
from eval.errors import UserError


class _File(NamedTuple):
    name: str
    state: str
    """``original``, ``changed``, ``stand-in`` or ``broken``."""
    content: str
    """Beside the state: the checksum, or the version of our own generators; empty for the original's content."""


def assets_identity(plan: Sequence[EpisodeSpec], assets: str | None) -> str:
    """40 hex digits over name, state and content of every file that the episodes of a plan load.

    Equal on two hosts whose files have the same content, wherever the packs lie and in whatever order they are given;
    different as soon as one file is a stand-in here and the original there. Files are hashed once and then known by path,
    size and time of modification; built-in stand-ins are not generated: the version of their generators stands for them.

    ``assets``: as ``--assets``, with the word of ``--assets-fallback``. Raises UserError for a pack that is missing or none.
    """
    inspections = StoredInspections()
    resolver = Assets.from_option(assets, inspections)
    files = {file for name in needed_files(plan) for file in _files(name, resolver, inspections)}
    inspections.save()
    return checksum(json.dumps(sorted(files)).encode())


def _files(name: str, assets: Assets, inspections: StoredInspections) -> Iterator[_File]:
    """A file as the resolver finds it, and the files that it names."""
    try:
        place = assets.locate(name)
    except UserError:  # the run fails with this very error when it comes to load the file
        yield _File(name, "broken", "")
        return
    if place is None:
        yield _File(name, "stand-in", generator_version())
        return
    pack, name = place
    path = pack / name
    for file in (path, *companions(path, inspections)):
        yield _file(os.path.relpath(file, pack), pack, inspections(file).checksum)
    if path.suffix == ".urdf":
        folder = name.rsplit("/", 1)[0]
        for mesh in inspections(path).references:
            yield from _files(mesh_name(folder, mesh), assets, inspections)


def _file(name: str, pack: Path, content: str) -> _File:
    if is_stand_in_pack(pack):
        return _File(name, "stand-in", content)
    return _File(name, "original", "") if content == original_assets().files.get(name) else _File(name, "changed", content)
