"""docs/ci.md and its workflow call verbs and options that there are, and tell the exit codes as they are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from made_up_runs import made_up_run

from eval.comparison.gate import Outcome
from eval.plan.suites import make_plan

DOCS = Path(__file__).parents[2] / "docs"
WORKFLOW = (DOCS / "ci" / "simpler-eval.yml").read_text(encoding="utf-8")
PAGES = WORKFLOW + (DOCS / "ci.md").read_text(encoding="utf-8") + (DOCS / "statistics.md").read_text(encoding="utf-8")
COMMANDS = sorted({line.strip() for line in re.findall(r"simpler-eval ((?:run|compare|gate|doctor)\b[^)\n`#]*)", PAGES)})


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_its_options(cli, command):
    verb, *words = command.split()
    code, out, _ = cli(verb, "--help")
    assert code == 0
    for word in words:
        if word.startswith("--"):
            assert re.search(rf"{word}\b", out), word


def test_the_workflow_gates_by_the_exit_codes(cli):
    steps = yaml.safe_load(WORKFLOW)["jobs"]["gate"]["steps"]
    (script,) = [step["run"] for step in steps if "simpler-eval gate" in step.get("run", "")]
    assert re.search(rf"{Outcome.NOT_WORSE.value}\) ;;", script)
    assert re.search(rf"{Outcome.UNTOLD.value}\) echo \"::warning", script)
    assert re.search(r"\*\) echo .*exit 1", script)


@pytest.mark.parametrize(
    ("rates", "code", "said"),
    [((0.9, 0.1), 1, "::error::WORSE"), ((0.5, 0.5), 0, "::warning::CANNOT TELL")],
)
def test_the_step_that_compares_does_what_its_outcome_says(tmp_path, rates, code, said):
    plan = make_plan(tasks=["widowx_carrot_on_plate", "widowx_stack_cube"], limit=12)
    for name, rate in zip(("baseline", "candidate"), rates, strict=True):
        made_up_run(tmp_path / name, plan, rate=rate, filmed=False)
    (script,) = [step["run"] for step in yaml.safe_load(WORKFLOW)["jobs"]["gate"]["steps"] if "gate" in step.get("run", "")]
    ours = f'simpler-eval() {{ {sys.executable} -m simpler_eval "$@"; }}\n'
    path = os.pathsep.join(map(str, (DOCS.parent, DOCS.parent / "tests/support")))
    environment = {**os.environ, "PYTHONPATH": path, "MARGIN": "10", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    done = subprocess.run(
        ["bash", "-e", "-c", ours + script], cwd=tmp_path, env=environment, text=True, capture_output=True, check=False
    )
    assert (done.returncode, said in done.stdout) == (code, True), done
    assert "Carrot on Plate" in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "comparison/index.html").is_file()


def test_the_page_tells_the_exit_codes():
    words = {Outcome.NOT_WORSE: "PASS", Outcome.WORSE: "WORSE", Outcome.UNTOLD: "CANNOT TELL"}
    for outcome, word in words.items():
        assert f"| {outcome.value} | `{word}` |" in PAGES
