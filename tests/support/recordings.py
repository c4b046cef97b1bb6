"""Where recordings of the original lie: small ones in ``tests/golden``, all of them where the environment variable says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "SIMPLER_EVAL_RECORDINGS"
REPO = Path(__file__).parents[2]
GOLDEN = REPO / "tests" / "golden"
"""What every checkout has; ``tests/golden/README.md`` says what it is."""
SHARED = Path(os.environ.get(VARIABLE) or REPO.parent / "shared")
"""The recordings' bulk: everything, with the original's asset files. May be absent."""
NEEDS_BULK = f"needs the recordings' bulk ({VARIABLE})"
needs_bulk = pytest.mark.skipif(not (SHARED / "parity").is_dir(), reason=NEEDS_BULK)
"""Marks a test that cannot do with ``golden``; the fixtures ``bulk`` and ``pack`` skip for the same reason."""


def golden(name: str) -> Path:
    """A file or folder of ``tests/golden``, such as ``simpler_spec/sweeps.json``."""
    path = GOLDEN / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing. tools/make_golden.py writes it from the recordings' bulk.")
    return path
