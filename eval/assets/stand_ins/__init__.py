"""Our own stand-ins for the original's asset files, generated one by one when they are first needed.

:mod:`eval.assets.stand_ins.table` says which generator makes which file.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

from eval.assets.cache import GeneratedFiles
from eval.assets.checksums import checksum


@cache
def generator_version() -> str:
    """12 hex digits over the generators and the numbers they use: what decides the content of every stand-in."""
    sources = [source.read_bytes() for source in sorted(Path(__file__).parent.glob("*.py"))]
    robots = resources.files("task_configs") / "robots"
    sources += [(robots / f"{family}.json").read_bytes() for family in ("google_robot", "widowx")]
    return checksum("".join(map(checksum, sources)).encode())[:12]


def has_stand_in(name: str) -> bool:
    """Whether there is a stand-in for a file (name relative to a pack); nothing is generated."""
    from eval.assets.stand_ins.table import TABLE  # slow to import, and not needed for what is in the cache

    return name in TABLE


def stand_in_path(name: str) -> Path | None:
    """The stand-in for a file (name relative to a pack), generated if need be, or None if there is none.

    Any number of processes may ask at once. What is damaged or lost in the cache is generated again; a process checks a file
    once, since every episode asks for all of its files.
    """
    return _checked_path(name, GeneratedFiles("stand_ins", generator_version()))


@cache
def _checked_path(name: str, files: GeneratedFiles) -> Path | None:
    if files.is_intact(name):
        return files.path(name)
    from eval.assets.stand_ins.table import TABLE

    if name not in TABLE:
        return None
    stand_in = TABLE[name]
    for mesh in stand_in.meshes:
        _checked_path(mesh, files)
    files.write(name, stand_in.generate(), stand_in.meshes)
    return files.path(name)
