"""Programs of Debian's packages, unpacked into a folder: the system stays as it is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def unpacked(folder: Path, *packages: str) -> dict[str, str]:
    """Variables with which the packages' programs run from the folder; the test is skipped where they cannot be had."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        pytest.skip("no packages of Debian here")
    folder.mkdir(parents=True)
    got = subprocess.run(["apt-get", "download", "-q", *packages], cwd=folder, capture_output=True, text=True, check=False)
    if got.returncode:
        pytest.skip(f"apt-get cannot download {packages[0]}: {got.stderr.strip()[-150:]}")
    for file in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(file), str(folder)], check=True)
        file.unlink()
    programs = [folder / place for place in ("usr/bin", "usr/sbin", "sbin", "bin")]
    libraries = folder / "usr/lib/x86_64-linux-gnu"
    return {"PATH": ":".join(map(str, programs)), "LD_LIBRARY_PATH": str(libraries), "ROOT": str(folder)}
