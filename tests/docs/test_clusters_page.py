"""The Slurm file plays parts of one plan, whatever Slurm says of the array, and ``report`` puts them together."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from page_shell import Shell, line
from slurm import slurm

REPO = Path(__file__).parents[2]
FILE = REPO / "docs" / "clusters" / "simpler-eval.sbatch"
TINY = "WHAT=(--task widowx_carrot_on_plate --limit 4 --max-steps 2 --policy random --world fake_world --workers 1)"
PAGE = "docs/clusters.md"


def filled(folder: Path) -> Path:
    """The file with a tiny evaluation in two parts."""
    text = FILE.read_text(encoding="utf-8")
    assert re.search(r"^#SBATCH --array=1-(\d+)$", text, re.M)[1] == re.search(r"^PARTS=(\d+)", text, re.M)[1]
    assert re.search(r"^WHAT=.*--suite google_robot_visual_matching ", text, re.M)
    changes = {r"^WHAT=.*$": TINY, r"^PARTS=\d+": "PARTS=2", r"--array=1-\d+": "--array=1-2"}
    for old, new in changes.items():
        text = re.sub(old, new, text, flags=re.M)
    (folder / FILE.name).write_text(text, encoding="utf-8")
    return folder / FILE.name


def check(shell: Shell) -> None:
    """That the page's second line counts both parts as one run."""
    out = shell.run(line(PAGE, "simpler-eval report"))
    assert re.search(r"^default +4 ", out, re.M), out
    assert (shell.folder / "results" / "my_policy" / "report" / "index.html").is_file()


def test_the_parts_are_one_run(tmp_path: Path) -> None:
    shell = Shell(tmp_path, SLURM_ARRAY_TASK_COUNT="1")
    file = filled(tmp_path).name
    for part in (1, 2):
        shell.run(f"SLURM_ARRAY_TASK_ID={part} bash {file}")
    check(shell)


@pytest.mark.slow
def test_slurm_itself_plays_them(tmp_path: Path) -> None:
    file = filled(tmp_path)
    command = line(PAGE, "sbatch ").replace("sbatch ", "sbatch --wait ")
    with slurm(tmp_path / "slurm") as variables:
        shell = Shell(tmp_path, **{name: value for name, value in variables.items() if name != "PATH"})
        shell.environment["PATH"] = f"{shell.bin}:{variables['PATH']}"
        # there is no GPU in this cluster: what the file asks for can be understood, and not be had
        refused = shell.run(command, code=1)
        assert "Requested node configuration is not available" in refused
        assert "validate" not in refused
        without = re.sub(r"^#SBATCH --gpus-per-task.*\n", "", file.read_text(encoding="utf-8"), flags=re.M)
        file.write_text(without, encoding="utf-8")
        shell.run(command)
        logs = [each.read_text() for each in sorted(tmp_path.glob("simpler-eval-*_[12].log"))]
        assert ["2 episodes" in log for log in logs] == [True, True], logs
        check(shell)
        part = tmp_path / "results/my_policy/part2"
        before = (part / "episodes.jsonl").read_text()
        again = re.search(r"`(sbatch --array=)3 (simpler-eval.sbatch)`", (REPO / PAGE).read_text(encoding="utf-8"))
        shell.run(f"{again[1]}2 {again[2]}".replace("sbatch ", "sbatch --wait "))
        assert (part / "episodes.jsonl").read_text() == before
        assert len(json.loads((part / "run.json").read_text())["sessions"]) == 2
