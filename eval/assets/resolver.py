"""Where the world's files come from: packs given by the user, and our own stand-in for every file that they lack.

A pack is a folder in the layout of the original asset repository (``data/...``, ``mani_skill2_real2sim/assets/...``).
Packs are searched in order. A pack that holds a ``standins.json`` is made of stand-ins: whatever is taken from it
counts as one, file by file. A file that is broken is an error, unless the user asked to go on with the next pack or the
stand-in.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from eval.assets.cache import cache_folder, write_whole
from eval.assets.health import problem
from eval.assets.options import ENVIRONMENT_VARIABLE, FALLBACK
from eval.assets.stand_ins import standin_path
from eval.errors import UserError

VISUAL_NAMES = ("textured.obj", "textured.dae", "textured.glb")
DESCRIPTIONS = "mani_skill2_real2sim/assets/descriptions"
ROBOT_FOLDERS = {"google_robot": "googlerobot_description", "widowx": "widowx_description"}
ROBOT_FILES = {"google_robot": "google_robot_meta_sim_fix_wheel_fix_fingertip", "widowx": "wx250s"}


class Assets:
    """Resolves asset names to files and remembers which were stand-ins. Picklable; each process remembers its own.

    Names are relative to a pack (``data/custom/models/apple/collision.obj``); a leading ``data/`` may be left out.
    """

    def __init__(self, packs: Sequence[Path], fallback: bool = False) -> None:
        """packs: folders, searched in order; ``fallback``: a broken file in one counts as absent there.

        Raises UserError if a pack is missing or is none.
        """
        self.packs = tuple(_checked_pack(Path(pack)) for pack in packs)
        self.fallback = fallback
        self._originals: set[str] = set()
        self._standins: set[str] = set()
        self._broken: dict[str, str] = {}
        self._hashes: dict[str, str] = {}

    @classmethod
    def from_option(cls, text: str | None) -> Assets:
        """From ``--assets`` (folders separated by commas), else SIMPLER_EVAL_ASSETS, else the built-in stand-ins.

        The word ``else-standins`` among the folders is what ``--assets-fallback`` adds.
        """
        chosen = text if text is not None else os.environ.get(ENVIRONMENT_VARIABLE, "")
        parts = [part.strip() for part in chosen.split(",") if part.strip()]
        return cls([Path(part).expanduser() for part in parts if part != FALLBACK], FALLBACK in parts)

    def path(self, relative: str) -> Path:
        """The first pack's file, else the built-in stand-in. Raises UserError if there is neither."""
        name = _canonical(relative)
        for pack in self.packs:
            if self._usable(pack, name):
                self._remember(name, pack)
                return pack / name
        return self._standin(name)

    def is_original(self, relative: str) -> bool:
        """True if the file comes from a pack that is not itself made of stand-ins; nothing is remembered."""
        name = _canonical(relative)
        pack = next((pack for pack in self.packs if holds(pack, name)), None)
        return pack is not None and not is_standin_pack(pack)

    def visual(self, model: str) -> Path:
        """Picture mesh of an object: per pack textured.obj before .dae before .glb (spec Q51)."""
        folder = f"data/custom/models/{model}"
        for pack in self.packs:
            for name in VISUAL_NAMES:
                if self._usable(pack, f"{folder}/{name}"):
                    self._remember(f"{folder}/{name}", pack)
                    return pack / folder / name
        return self._standin(f"{folder}/{VISUAL_NAMES[-1]}")

    def collision(self, model: str) -> Path:
        """Collision mesh of an object."""
        return self.path(f"data/custom/models/{model}/collision.obj")

    def collision_is_builtin(self, model: str) -> bool:
        """True if the collision mesh is our own stand-in, so that recorded masses do not apply to it."""
        return not any(self._usable(pack, f"data/custom/models/{model}/collision.obj") for pack in self.packs)

    def robot_urdf(self, family: str, urdf_version: str = "") -> Path:
        """Robot file with absolute mesh paths, written to the cache.

        family: ``google_robot`` or ``widowx``; urdf_version: colour variant (spec Q20), "" for the plain one.
        A link whose meshes are absent takes the shapes of our own robot.
        """
        suffix = f"_{urdf_version}" if urdf_version and urdf_version != "None" else ""
        return self.urdf(f"{DESCRIPTIONS}/{ROBOT_FOLDERS[family]}/{ROBOT_FILES[family]}{suffix}.urdf")

    def urdf(self, relative: str) -> Path:
        """Any URDF (a robot, a cabinet) with absolute mesh paths, written to the cache."""
        name = _canonical(relative)
        source = self.path(name)
        if not any(source.is_relative_to(pack) for pack in self.packs):
            return source  # our own have no meshes
        root = ElementTree.parse(source).getroot()
        folder = name.rsplit("/", 1)[0]
        for link in root.iter("link"):
            for kind in ("visual", "collision"):
                if not self._absolute_meshes(link, kind, folder):
                    _replace_shapes(link, kind, self._standin(name))
        return _write_cached(ElementTree.tostring(root))

    def record(self) -> dict[str, Any]:
        """What this process used: ``packs``, ``standins`` (sorted names), ``kind`` original, stand-ins or mixed.

        ``files`` has the BLAKE2b hash (16 hex digits) of every file that came from a pack; ``broken``, if there are
        any, the files of the packs that were passed over, with the reason.
        """
        if self._originals and self._standins:
            kind = "mixed"
        elif self._standins or (not self._originals and all(map(is_standin_pack, self.packs))):
            kind = "stand-ins"
        else:
            kind = "original"
        found = {
            "packs": [str(pack) for pack in self.packs],
            "standins": sorted(self._standins),
            "kind": kind,
            "files": dict(sorted(self._hashes.items())),
        }
        return found | ({"broken": dict(sorted(self._broken.items()))} if self._broken else {})

    def _usable(self, pack: Path, name: str) -> bool:
        """Whether a pack holds a file that is not broken. Raises UserError for a broken one without ``fallback``."""
        if not holds(pack, name):
            return False
        found = problem(pack / name)
        if found is None:
            return True
        file, reason = found
        broken = str(file.relative_to(pack)) if file.is_relative_to(pack) else str(file)
        if not self.fallback:
            raise UserError(
                f"asset {broken} in {pack} is broken: {reason}. Mend the pack, or go on with the next one or the "
                f"stand-in by --assets-fallback."
            )
        self._broken[broken] = reason
        return False

    def _absolute_meshes(self, link: ElementTree.Element, kind: str, folder: str) -> bool:
        """Make the link's mesh paths absolute; False if one of the files is in no pack."""
        for mesh in link.findall(f"{kind}/geometry/mesh"):
            name = os.path.normpath(f"{folder}/{mesh.get('filename', '').removeprefix('package://')}")
            pack = next((pack for pack in self.packs if self._usable(pack, name)), None)
            if pack is None:
                self._standins.add(name)
                return False
            self._remember(name, pack)
            mesh.set("filename", str(pack / name))
        return True

    def _remember(self, name: str, pack: Path) -> None:
        (self._standins if is_standin_pack(pack) else self._originals).add(name)
        if name not in self._hashes:
            self._hashes[name] = hashlib.blake2b((pack / name).read_bytes(), digest_size=8).hexdigest()

    def _standin(self, name: str) -> Path:
        path = standin_path(name)
        if path is None:
            where = f"none of the packs {', '.join(map(str, self.packs))} has it" if self.packs else "no pack was given"
            raise UserError(
                f"asset {name} is missing: {where}, and there is no built-in stand-in for it. "
                f"Give a pack that holds it with --assets or {ENVIRONMENT_VARIABLE}."
            )
        self._standins.add(name)
        return path


def _canonical(relative: str) -> str:
    name = os.path.normpath(relative).replace(os.sep, "/")
    return name if name.startswith(("data/", "mani_skill2_real2sim/")) else f"data/{name}"


def _checked_pack(pack: Path) -> Path:
    if not pack.is_dir():
        raise UserError(
            f"asset folder {pack} does not exist. Give existing folders, separated by commas, "
            f"or none at all to use the built-in stand-ins."
        )
    for candidate in (pack, pack.parent):
        if (candidate / "data").is_dir() and (candidate is pack or pack.name == "data"):
            return candidate.resolve()
    if (pack / "mani_skill2_real2sim").is_dir():
        return pack.resolve()
    raise UserError(
        f"{pack} is no asset pack: it has neither a data/ nor a mani_skill2_real2sim/ folder. "
        f"Give the top folder of the original asset repository."
    )


def holds(pack: Path, name: str) -> bool:
    """Whether the file itself is there; a Git LFS pointer that stands for it does not count (spec 12)."""
    path = pack / name
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(23) != b"version https://git-lfs"


def is_standin_pack(pack: Path) -> bool:
    """Whether whatever is taken from the pack counts as a stand-in."""
    return (pack / "standins.json").is_file()


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
    target = cache_folder() / "urdf" / f"{hashlib.blake2b(content, digest_size=8).hexdigest()}.urdf"
    if not target.exists():
        write_whole(target, content)
    return target
