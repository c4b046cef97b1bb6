"""Which asset files the suites need, and the state of each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eval.assets.inspection import companions, find_problem, inspect
from eval.assets.manifest import original_assets
from eval.assets.needed import needed_files
from eval.assets.resolver import DESCRIPTIONS, Assets, alternatives, holds, is_stand_in_pack, mesh_name
from eval.assets.stand_ins import has_stand_in
from eval.given import Texts, texts_of
from eval.plan.suites import make_plan, suite_names

State = Literal["original", "stand-in", "changed", "broken", "missing"]
"""``changed``: a pack has it, with another content than the original; ``stand-in``: a pack's or our own."""


@dataclass(frozen=True)
class AssetFile:
    """One file that a suite needs."""

    name: str
    state: State
    detail: str
    """The pack it comes from, or what is wrong."""


def check_assets(assets: Texts | None = None, suites: Texts = ()) -> list[AssetFile]:
    """The state of every file that the suites need, with the meshes, materials and textures that those name.

    ``assets`` as ``--assets``; ``suites``: one or several, none: all. Raises UserError for an unknown suite or pack.
    """
    names = {name for suite in texts_of(suites, "suites") or suite_names() for name in needed_files(make_plan(suite=suite))}
    return check_files(names, Assets.from_option(assets).packs)


def check_files(names: Iterable[str], packs: Sequence[Path]) -> list[AssetFile]:
    """The state of these files and of those that they name, in the given packs; sorted by name."""
    checked: dict[str, AssetFile] = {}
    queue = sorted(names, reverse=True)
    while queue:
        name = queue.pop()
        if name not in checked:
            checked[name], further = _check(name, packs)
            queue += further
    return [checked[name] for name in sorted(checked)]


def _check(name: str, packs: Sequence[Path]) -> tuple[AssetFile, list[str]]:
    """State of a file, and the names of the files that it names."""
    pack, name = _place(name, packs)
    if pack is None:
        if any(map(has_stand_in, alternatives(name))):
            return AssetFile(name, "stand-in", "our own"), []
        if name.startswith(DESCRIPTIONS):  # where a mesh is absent, its link takes the shapes of our own robot
            return AssetFile(name, "stand-in", "the shape of our own robot's link"), []
        return AssetFile(name, "missing", "in no pack, and there is no stand-in"), []
    path = pack / name
    if problem := find_problem(path):
        return AssetFile(name, "broken", f"{problem[1]} ({problem[0]})"), []
    further = [os.path.relpath(file, pack) for file in companions(path)]
    inspection = inspect(path)
    if path.suffix == ".urdf":
        further += [mesh_name(name.rsplit("/", 1)[0], file) for file in inspection.references]
    if is_stand_in_pack(pack):
        return AssetFile(name, "stand-in", str(pack)), further
    expected = original_assets().files.get(name)
    if inspection.checksum != expected:
        reason = f"checksum {inspection.checksum}, the original has {expected}"
        return AssetFile(name, "changed", f"{pack}: {reason if expected else 'the original has no such file'}"), further
    return AssetFile(name, "original", str(pack)), further


def _place(name: str, packs: Sequence[Path]) -> tuple[Path | None, str]:
    """The pack that has a file, broken or not, and the name under which."""
    places = ((pack, other) for pack in packs for other in alternatives(name) if holds(pack, other))
    return next(places, (None, name))
