"""An interpreter whose ``simpler_env`` is a stand-in of our own."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

FAKES = Path(__file__).with_name("simpler_env_fakes")


def interpreter(folder: Path, path: Path = FAKES, **variables: str) -> str:
    """An executable that is our own Python with other packages and variables."""
    assets = folder / "checkout" / "data"
    (assets / "custom").mkdir(parents=True, exist_ok=True)
    variables = {"PYTHONPATH": str(path), "MS2_REAL2SIM_ASSET_DIR": str(assets), **variables}
    lines = [f"export {name}='{value}'" for name, value in variables.items()]
    script = folder / f"python{len(list(folder.glob('python*')))}"
    script.write_text("\n".join(["#!/bin/sh", *lines, f'exec {sys.executable} "$@"', ""]))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)
