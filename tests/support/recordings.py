"""Where recordings of the original lie: small ones in the repository, big ones wherever the environment variable says."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SIMPLER_EVAL_RECORDINGS"
REPO = Path(__file__).parents[2]
GOLDEN = REPO / "tests" / "golden"
"""Small recordings; always there."""
SHARED = Path(os.environ.get(VARIABLE) or REPO.parent / "shared")
"""All recordings. A test that needs them skips where the folder is absent."""
