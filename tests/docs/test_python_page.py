"""The page about Python runs as it stands there, from its first line to its last."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from eval.records.folder import load_run

REPO = Path(__file__).parents[2]
PAGE = (REPO / "docs/python.md").read_text(encoding="utf-8")
QUICKLY = "import eval.backends.selection\neval.backends.selection.SAPIEN_WORLD = 'fake_world'\n"
"""Nobody here looks at what the simulator simulates."""


def test_the_page_is_a_program_without_a_guard(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 4
    program = "import simpler_eval\n" + QUICKLY + "\n".join(blocks)
    path = os.pathsep.join(map(str, (REPO, REPO / "tests/support")))
    environment = {**os.environ, "PYTHONPATH": path, "SIMPLER_EVAL_ASSETS": ""}
    done = subprocess.run(
        [sys.executable, "-"], input=program, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a run that goes well prints nothing"
    said = done.stdout.splitlines()
    assert said[0] == "{'widowx_carrot_on_plate': 0.5}"
    assert said[-1] == "step 200 success/widowx_spoon_on_towel 0.50"
    assert len([line for line in said if line.startswith("step ")]) == 4
    last = load_run(tmp_path / "results/training/000200")
    assert last.header.identity.policy.settings == {"step": 200}
    for page in ("second/report/index.html", "compared/index.html", "audit/audit.html"):
        assert (tmp_path / "results" / page).is_file(), page
        assert any(line.endswith(page) for line in said) == (page != "audit/audit.html")
    assert "Has it memorised the grid?" in done.stdout
