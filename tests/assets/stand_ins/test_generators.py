"""Stand-ins are the same bytes from any process: runs name the files they read by checksum."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eval.assets.stand_ins.table import TABLE

REPO = Path(__file__).parents[3]
GENERATE = """
import hashlib, json
from eval.assets.stand_ins.table import TABLE
print(json.dumps({name: hashlib.sha256(entry.generate()).hexdigest() for name, entry in TABLE.items()}))
"""


@pytest.mark.slow
def test_every_stand_in_is_the_same_from_another_process() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", GENERATE]
    child = subprocess.run(command, env=environment, check=True, cwd=REPO, capture_output=True, text=True)
    theirs = json.loads(child.stdout)
    assert {name: hashlib.sha256(entry.generate()).hexdigest() for name, entry in TABLE.items()} == theirs
    assert len(theirs) > 80
    assert {Path(name).suffix for name in theirs} >= {".obj", ".glb", ".png", ".urdf"}
