"""Where the world's files come from: packs given by the user, and our own stand-in for every file that they lack.

A pack is a folder in the layout of the original asset repository (``data/...``, ``mani_skill2_real2sim/assets/...``).
Packs are searched in order. A pack that holds a ``standins.json`` is made of stand-ins: whatever is taken from it
counts as one, file by file. A file that is broken is an error, unless the user chose to go on with the next pack or the
stand-in.

Which generator makes which stand-in: :mod:`eval.assets.stand_ins.table`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from eval.assets.cache import cache_folder, write_whole
from eval.assets.checksums import checksum
from eval.assets.inspection import Inspect, find_problem, inspect
from eval.assets.options import ENVIRONMENT_VARIABLE, FALLBACK, chosen_assets
from eval.assets.record import AssetsRecord
from eval.assets.stand_ins import stand_in_path
from eval.errors import UserError
from eval.given import Texts

VISUAL_NAMES = ("textured.obj", "textured.dae", "textured.glb")
DESCRIPTIONS = "mani_skill2_real2sim/assets/descriptions"
ROBOT_FILES = {
    "google_robot": "googlerobot_description/google_robot_meta_sim_fix_wheel_fix_fingertip",
    "widowx": "widowx_description/wx250s",
}


class Assets:
    """Resolves asset names to files and remembers which were stand-ins. Picklable; each process remembers its own.

    Names are relative to a pack (``data/custom/models/apple/collision.obj``); a leading ``data/`` may be left out.
    """

    def __init__(self, packs: Sequence[Path], fallback: bool = False, inspect: Inspect = inspect) -> None:
        """Packs in the order of search.

        Args:
            packs: folders.
            fallback: a broken file in a pack counts as absent there.
            inspect: how files are looked at.

        Raises:
            UserError: a pack is missing or is none.
        """
        self.packs = tuple(_checked_pack(Path(pack)) for pack in packs)
        self.fallback = fallback
        self._inspect = inspect
        self._originals: set[str] = set()
        self._stand_ins: set[str] = set()
        self._broken: dict[str, str] = {}
        self._checksums: dict[str, str] = {}
        self._urdfs: dict[str, Path] = {}

    @classmethod
    def from_option(cls, text: Texts | None, inspect: Inspect = inspect) -> Assets:
        """From ``--assets`` (folders separated by commas), else SIMPLER_EVAL_ASSETS, else the built-in stand-ins.

        The word ``else-standins`` among the folders is what ``--assets-fallback`` adds.
        """
        parts = (chosen_assets(text) or "").split(",")
        return cls([Path(part) for part in parts if part not in ("", FALLBACK)], FALLBACK in parts, inspect)

    def locate(self, name: str) -> tuple[Path, str] | None:
        """The first pack that holds a file, and the name it has there; None where the stand-in is taken.

        A visual mesh may have any of ``VISUAL_NAMES``. Raises UserError for a broken file without ``fallback``.
        """
        names = alternatives(_canonical(name))
        return next(((pack, other) for pack in self.packs for other in names if self._usable(pack, other)), None)

    def path(self, name: str) -> Path:
        """The first pack's file, else the built-in stand-in. Raises UserError if there is neither."""
        name = _canonical(name)
        pack = next((pack for pack in self.packs if self._usable(pack, name)), None)
        return self._stand_in(name) if pack is None else self._take(pack, name)

    def visual(self, model: str) -> Path:
        """Visual mesh of an object: per pack textured.obj before .dae before .glb (docs/simpler.md Q51)."""
        name = f"data/custom/models/{model}/{VISUAL_NAMES[-1]}"
        place = self.locate(name)
        return self._stand_in(name) if place is None else self._take(*place)

    def collision(self, model: str) -> Path:
        """Collision mesh of an object."""
        return self.path(_collision(model))

    def collision_is_builtin(self, model: str) -> bool:
        """True if the collision mesh is our own stand-in, so that recorded masses do not apply to it."""
        return self.locate(_collision(model)) is None

    def is_original(self, name: str) -> bool:
        """True if the file comes from a pack that is not itself made of stand-ins; nothing is remembered."""
        name = _canonical(name)
        pack = next((pack for pack in self.packs if holds(pack, name)), None)
        return pack is not None and not is_stand_in_pack(pack)

    def robot_urdf(self, family: str, urdf_version: str = "") -> Path:
        """Robot file with absolute mesh paths, written to the cache.

        family: ``google_robot`` or ``widowx``; urdf_version: colour variant (docs/simpler.md Q20), "" for the plain one.
        A link whose meshes are absent takes the shapes of our own robot.
        """
        return self.urdf(robot_name(family, urdf_version))

    def urdf(self, name: str) -> Path:
        """Any URDF (a robot, a cabinet) with absolute mesh paths, written to the cache."""
        name = _canonical(name)
        if name not in self._urdfs:
            self._urdfs[name] = self._with_absolute_paths(name)
        return self._urdfs[name]

    def _with_absolute_paths(self, name: str) -> Path:
        source = self.path(name)
        if not any(source.is_relative_to(pack) for pack in self.packs):
            return source  # the meshes of our own lie beside it
        root = ElementTree.parse(source).getroot()
        folder = name.rsplit("/", 1)[0]
        for link in root.iter("link"):
            for kind in ("visual", "collision"):
                if not self._absolute_meshes(link, kind, folder):
                    _replace_shapes(link, kind, self._stand_in(name))
        return _write_cached(ElementTree.tostring(root))

    def record(self) -> AssetsRecord:
        """The files that this process used so far."""
        kind: Literal["original", "stand-ins", "mixed"]
        if self._originals and self._stand_ins:
            kind = "mixed"
        elif self._stand_ins or (not self._originals and all(map(is_stand_in_pack, self.packs))):
            kind = "stand-ins"
        else:
            kind = "original"
        return AssetsRecord(
            packs=tuple(str(pack) for pack in self.packs),
            stand_ins=tuple(sorted(self._stand_ins)),
            kind=kind,
            files=dict(sorted(self._checksums.items())),
            broken=dict(sorted(self._broken.items())),
        )

    def _usable(self, pack: Path, name: str) -> bool:
        """Whether a pack holds a file that is not broken. Raises UserError for a broken one without ``fallback``."""
        if not holds(pack, name):
            return False
        problem = find_problem(pack / name, self._inspect)
        if problem is None:
            return True
        file, reason = problem
        broken = str(file.relative_to(pack)) if file.is_relative_to(pack) else str(file)
        if not self.fallback:
            raise UserError(
                f"asset {broken} in {pack} is broken: {reason}. Repair the pack, or go on with the next one or the "
                f"stand-in by --assets-fallback."
            )
        self._broken[broken] = reason
        return False

    def _absolute_meshes(self, link: ElementTree.Element, kind: str, folder: str) -> bool:
        """Make the link's mesh paths absolute; False if one of the files is in no pack."""
        for mesh in link.findall(f"{kind}/geometry/mesh"):
            name = mesh_name(folder, mesh.get("filename", "").removeprefix("package://"))
            pack = next((pack for pack in self.packs if self._usable(pack, name)), None)
            if pack is None:
                self._stand_ins.add(name)
                return False
            mesh.set("filename", str(self._take(pack, name)))
        return True

    def _take(self, pack: Path, name: str) -> Path:
        (self._stand_ins if is_stand_in_pack(pack) else self._originals).add(name)
        if name not in self._checksums:
            self._checksums[name] = self._inspect(pack / name).checksum
        return pack / name

    def _stand_in(self, name: str) -> Path:
        path = stand_in_path(name)
        if path is None:
            where = f"none of the packs {', '.join(map(str, self.packs))} has it" if self.packs else "no pack was given"
            raise UserError(
                f"asset {name} is missing: {where}, and there is no built-in stand-in for it. "
                f"Give a pack that holds it with --assets or {ENVIRONMENT_VARIABLE}."
            )
        self._stand_ins.add(name)
        return path


def robot_name(family: str, urdf_version: str = "") -> str:
    """Name of a robot's URDF; arguments as of :meth:`Assets.robot_urdf`."""
    suffix = f"_{urdf_version}" if urdf_version and urdf_version != "None" else ""
    return f"{DESCRIPTIONS}/{ROBOT_FILES[family]}{suffix}.urdf"


def mesh_name(folder: str, file: str) -> str:
    """Name of a mesh that a URDF in ``folder`` (relative to a pack) calls ``file``."""
    return os.path.normpath(f"{folder}/{file}")


def alternatives(name: str) -> list[str]:
    """A visual mesh may have any of several names, the first that a pack has is taken; other files have the one."""
    folder, _, file = name.rpartition("/")
    return [f"{folder}/{other}" for other in VISUAL_NAMES] if file in VISUAL_NAMES else [name]


def holds(pack: Path, name: str) -> bool:
    """Whether something of that name is there; a Git LFS pointer that stands for it does not count (docs/simpler.md 12).

    A folder, or a link that leads nowhere (its own, or that of a folder on the way), is there, too: a broken file.
    """
    path = pack / name
    if not path.is_file():
        way = [path, *(parent for parent in path.parents if parent.is_relative_to(pack) and parent != pack)]
        return path.exists() or any(part.is_symlink() and not part.exists() for part in way)
    with path.open("rb") as file:
        return file.read(23) != b"version https://git-lfs"


def is_stand_in_pack(pack: Path) -> bool:
    """Whether whatever is taken from the pack counts as a stand-in."""
    return (pack / "standins.json").is_file()


def _collision(model: str) -> str:
    return f"data/custom/models/{model}/collision.obj"


def _canonical(name: str) -> str:
    name = os.path.normpath(name).replace(os.sep, "/")
    return name if name.startswith(("data/", "mani_skill2_real2sim/")) else f"data/{name}"


def _checked_pack(pack: Path) -> Path:
    if not pack.is_dir():
        wrong = f"asset folder {pack} does not exist" if not os.path.lexists(pack) else f"{pack} is no asset folder"
        raise UserError(
            f"{wrong}{_from_environment(pack)}. Give existing folders, separated by commas, "
            f"or none at all to use the built-in stand-ins."
        )
    for candidate in (pack, pack.parent):
        if (candidate / "data").is_dir() and (candidate is pack or pack.name == "data"):
            return candidate.resolve()
    if (pack / "mani_skill2_real2sim").is_dir():
        return pack.resolve()
    raise UserError(
        f"{pack} is not an asset pack{_from_environment(pack)}: it has neither a data/ nor a mani_skill2_real2sim/ folder. "
        f"Give the top folder of the original asset repository."
    )


def _from_environment(pack: Path) -> str:
    """Where the user finds what is wrong, if it may have come from there."""
    named = (chosen_assets(None) or "").split(",")
    return f" (so says {ENVIRONMENT_VARIABLE})" if str(pack) in named else ""


def _replace_shapes(link: ElementTree.Element, kind: str, ours: Path) -> None:
    """Give ``link`` the shapes that the link of the same name has in our own URDF."""
    for old in link.findall(kind):
        link.remove(old)
    twin = next((e for e in ElementTree.parse(ours).getroot().iter("link") if e.get("name") == link.get("name")), None)
    for shape in twin.findall(kind) if twin is not None else ():
        for mesh in shape.iter("mesh"):
            mesh.set("filename", str(ours.parent / mesh.get("filename", "")))
        link.append(shape)


def _write_cached(content: bytes) -> Path:
    """Store under a name made of the content; safe when several processes write the same file at once."""
    target = cache_folder() / "urdf" / f"{checksum(content)}.urdf"
    if not target.exists():
        write_whole(target, content)
    return target
