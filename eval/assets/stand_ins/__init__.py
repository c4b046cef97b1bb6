"""Our own stand-ins for the original's asset files: generated on first use, in the layout of a pack.

The folder's name carries a hash of the generators, so that a changed generator never meets an old cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path

from eval.assets.cache import cache_folder

SUMS = "sums.json"
"""Checksums of everything in the folder."""


@cache
def generator_version() -> str:
    """Hash over the generators and the numbers they use."""
    digest = hashlib.blake2b(digest_size=6)
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for family in ("google_robot", "widowx"):
        digest.update(resources.files("task_configs").joinpath(f"robots/{family}.json").read_bytes())
    return digest.hexdigest()


@cache
def standins_root() -> Path:
    """Folder with all stand-ins, generated if need be; any number of processes may ask at once."""
    target = cache_folder() / "standins" / generator_version()
    if target.is_dir():
        _mend(target)
        return target
    from eval.assets.stand_ins.build import build_all  # the mesh libraries are slow to import and seldom needed

    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        build_all(part)
        (part / SUMS).write_text(json.dumps({str(p.relative_to(part)): _sum(p) for p in sorted(_files(part))}))
        part.chmod(0o755)
        part.rename(target)
    except OSError:
        if not target.is_dir():  # otherwise another process was first
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _sum(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() if path.is_file() else "absent"


def _mend(target: Path) -> None:
    """Put damaged or missing files back; the check reads a few MB once per process."""
    try:
        sums = json.loads((target / SUMS).read_text())
    except (OSError, ValueError):
        sums = {".": "unreadable"}
    if all(_sum(target / name) == wanted for name, wanted in sums.items()):
        return
    from eval.assets.stand_ins.build import build_all

    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        build_all(part)
        sums = {}
        for path in sorted(_files(part)):
            name = str(path.relative_to(part))
            sums[name] = _sum(path)
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target / name)
        (part / SUMS).write_text(json.dumps(sums))
        os.replace(part / SUMS, target / SUMS)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def standin_path(relative: str) -> Path | None:
    """The stand-in for a file of the original repository, or None if we have none."""
    path = standins_root() / relative
    if path.is_file():
        return path
    from eval.assets.stand_ins.on_demand import make

    return make(relative)
