"""Which asset files the suites need, and what is here of each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from eval.assets.health import companions, problem
from eval.assets.manifest import blob_id, original_assets
from eval.assets.resolver import DESCRIPTIONS, ROBOT_FILES, ROBOT_FOLDERS, VISUAL_NAMES, Assets, holds, is_standin_pack
from eval.assets.stand_ins import standin_path
from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from task_configs import robots, scenes, suite_names

State = Literal["original", "stand-in", "changed", "broken", "missing"]
"""``changed``: a pack has it, with another content than the original; ``stand-in``: a pack's or our own."""


@dataclass(frozen=True)
class AssetFile:
    """One file that a suite needs."""

    name: str
    state: State
    detail: str
    """The pack it comes from, or what is wrong."""


def needed_files(plan: Iterable[EpisodeSpec]) -> list[str]:
    """Names (relative to a pack) of the files that some episodes load, sorted; robots by their descriptions."""
    found: set[str] = set()
    for spec in plan:
        if stage := scenes()[spec.scene].file:
            found.add(f"data/{stage}")
        if spec.overlay is not None:
            found.add(f"data/{spec.overlay}")
        if cabinet := spec.cabinet:
            found.add(f"data/custom/{cabinet.station}.urdf")
        for item in spec.objects:
            found |= {f"data/custom/models/{item.model}/collision.obj", _visual(item.model)}
        family = robots()[spec.robot].family
        suffix = f"_{spec.urdf_version}" if spec.urdf_version else ""
        found.add(f"{DESCRIPTIONS}/{ROBOT_FOLDERS[family]}/{ROBOT_FILES[family]}{suffix}.urdf")
    return sorted(found)


def _visual(model: str) -> str:
    """The picture mesh that the original loads for an object."""
    names = [f"data/custom/models/{model}/{name}" for name in VISUAL_NAMES]
    return next((name for name in names if name in original_assets().files), names[-1])


def check_assets(assets: str | None = None, suites: Sequence[str] = ()) -> list[AssetFile]:
    """What is here of every file that the suites need, with the meshes, materials and textures that those name.

    ``assets`` as ``--assets``; without ``suites``: all. Raises UserError for an unknown suite or an unusable pack.
    """
    names = {name for suite in suites or suite_names() for name in needed_files(make_plan(suite=suite))}
    return check_files(names, Assets.from_option(assets).packs)


def check_files(names: Iterable[str], packs: Sequence[Path]) -> list[AssetFile]:
    """What some packs have of these files and of those that they name, sorted by name."""
    found: dict[str, AssetFile] = {}
    queue = sorted(names, reverse=True)
    while queue:
        name = queue.pop()
        if name not in found:
            found[name], further = _look(name, packs)
            queue += further
    return [found[name] for name in sorted(found)]


def _look(name: str, packs: Sequence[Path]) -> tuple[AssetFile, list[str]]:
    """State of a file, and the names of the files that it names."""
    pack, name = _found(name, packs)
    if pack is None:
        if any(standin_path(other) is not None for other in _alternatives(name)):
            return AssetFile(name, "stand-in", "our own"), []
        if name.startswith(DESCRIPTIONS):  # where a mesh is absent, its link takes the shapes of our own robot
            return AssetFile(name, "stand-in", "the shape of our own robot's link"), []
        return AssetFile(name, "missing", "in no pack, and there is no stand-in"), []
    path = pack / name
    if found := problem(path):
        return AssetFile(name, "broken", f"{found[1]} ({found[0]})"), []
    further = [os.path.relpath(file, pack) for file in companions(path)]
    if path.suffix == ".urdf":
        further += _meshes(path, name)
    if is_standin_pack(pack):
        return AssetFile(name, "stand-in", str(pack)), further
    expected = original_assets().files.get(name)
    actual = blob_id(path)
    if actual != expected:
        wanted = f"checksum {actual}, the original has {expected}" if expected else "the original has no such file"
        return AssetFile(name, "changed", f"{pack}: {wanted}"), further
    return AssetFile(name, "original", str(pack)), further


def _alternatives(name: str) -> list[str]:
    """A picture mesh may have any of several names, the first that a pack has is taken; other files have the one."""
    folder, _, file = name.rpartition("/")
    return [f"{folder}/{other}" for other in VISUAL_NAMES] if file in VISUAL_NAMES else [name]


def _found(name: str, packs: Sequence[Path]) -> tuple[Path | None, str]:
    """The pack that has a file, and the name under which."""
    places = ((pack, other) for pack in packs for other in _alternatives(name) if holds(pack, other))
    return next(places, (None, name))


def _meshes(urdf: Path, name: str) -> list[str]:
    folder = name.rsplit("/", 1)[0]
    files = (mesh.get("filename", "") for mesh in ElementTree.parse(urdf).getroot().iter("mesh"))
    return [os.path.normpath(f"{folder}/{file.removeprefix('package://')}") for file in files]
