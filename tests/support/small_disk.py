"""A command whose results lie on a disk that is too small, and that finds room the second time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

MAKER = ("unshare", "--mount", "--map-root-user")
SCRIPT = """
set -e
disk=$1 size=$2 said=$3; shift 3
mount -t tmpfs -o size=$size tmpfs "$disk"
set +e
"$@" >"$said/small.out" 2>"$said/small.err"
echo $? >"$said/small.code"
cp -r "$disk" "$said/small"
mount -o remount,size=200m "$disk"
"$@" >"$said/roomy.out" 2>"$said/roomy.err"
echo $? >"$said/roomy.code"
cp -r "$disk" "$said/roomy"
"""


class Told(NamedTuple):
    """What a command said, and what it left."""

    code: int
    out: str
    err: str
    left: Path


def on_a_small_disk(folder: Path, size: str, command: Sequence[object]) -> tuple[Told, Told]:
    """Run a command, in which ``DISK`` stands for a folder of ``size`` (such as 100k), and then once more with room enough.

    The test is skipped where nobody may mount anything.
    """
    skip_where_nobody_mounts()
    disk = folder / "disk"
    disk.mkdir()
    words = [str(word).replace("DISK", str(disk)) for word in command]
    script = ["bash", "-c", SCRIPT, "bash", str(disk), size, str(folder), *words]
    subprocess.run([*MAKER, *script], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return _told(folder, "small"), _told(folder, "roomy")


def skip_where_nobody_mounts() -> None:
    """Skip the test where nobody may mount a disk that can be filled."""
    if subprocess.run([*MAKER, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk to fill")


def _told(folder: Path, way: str) -> Told:
    code, out, err = ((folder / f"{way}.{kind}").read_text() for kind in ("code", "out", "err"))
    return Told(int(code), out, err, folder / way)
