"""The Slurm file plays parts of one plan, whatever Slurm says of the array, and ``report`` puts them together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).parents[2]
FILE = REPO / "docs" / "clusters" / "simpler-eval.sbatch"
TINY = "WHAT=(--task widowx_carrot_on_plate --limit 4 --max-steps 2 --policy random --world fake_world --workers 1)"


def test_the_parts_are_one_run(tmp_path: Path) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert re.search(r"^#SBATCH --array=1-(\d+)$", text, re.M)[1] == re.search(r"^PARTS=(\d+)", text, re.M)[1]
    assert re.search(r"^WHAT=.*--suite google_robot_visual_matching ", text, re.M)
    filled = re.sub(r"^WHAT=.*$", TINY, re.sub(r"^PARTS=\d+", "PARTS=2", text, flags=re.M), flags=re.M)
    (tmp_path / "simpler-eval.sbatch").write_text(filled)
    command = tmp_path / "bin" / "simpler-eval"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m simpler_eval "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_COUNT": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(REPO), str(REPO / "tests" / "support")])

    def shell(script: str) -> str:
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    shell("SLURM_ARRAY_TASK_ID=1 bash simpler-eval.sbatch")
    shell("SLURM_ARRAY_TASK_ID=2 bash simpler-eval.sbatch")
    page = (REPO / "docs" / "clusters.md").read_text(encoding="utf-8")
    (report,) = re.findall(r"^simpler-eval report .*$", page, re.M)
    out = shell(report)
    assert re.search(r"^default +4 ", out, re.M), out
    assert (tmp_path / "results" / "my_policy" / "report" / "index.html").is_file()
