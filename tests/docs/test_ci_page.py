"""docs/ci.md and its workflow call verbs and options that there are, and tell the exit codes as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from eval.comparison.gate import Outcome

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


def test_the_page_tells_the_exit_codes():
    words = {Outcome.NOT_WORSE: "PASS", Outcome.WORSE: "WORSE", Outcome.UNTOLD: "CANNOT TELL"}
    for outcome, word in words.items():
        assert f"| {outcome.value} | `{word}` |" in PAGES
