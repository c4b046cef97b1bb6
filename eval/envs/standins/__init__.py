"""Our own stand-ins for the original's asset files: generated on first use, in the layout of a pack.

The folder's name carries a hash of the generators, so that a changed generator never meets an old cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path


@cache
def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/simpler-eval``, or a private temporary folder where home cannot be written."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base) / "simpler-eval"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"simpler-eval-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


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
        return target
    from eval.envs.standins.build import build_all  # the mesh libraries are slow to import and seldom needed

    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        build_all(part)
        part.chmod(0o755)
        part.rename(target)
    except OSError:
        if not target.is_dir():  # otherwise another process was first
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def standin_path(relative: str) -> Path | None:
    """The stand-in for a file of the original repository, or None if we have none."""
    path = standins_root() / relative
    if path.is_file():
        return path
    from eval.envs.standins.more import make

    return make(relative)
