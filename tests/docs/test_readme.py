"""The code that the README shows runs as it stands there, the policy by the command that stands below it."""

from __future__ import annotations

import json
import re
import shlex
from functools import partial
from pathlib import Path

import pytest
import typer

import simpler_eval
from eval.cli.app import app
from eval.plan.suites import suite_names
from eval.records.folder import load_run
from eval.tasks.loading import task_names

REPO = Path(__file__).parents[2]
README = (REPO / "README.md").read_text(encoding="utf-8")
POLICY = re.search(r"```python\n(# my_policy\.py.*?)```", README, re.DOTALL)
PROGRAM = re.search(r"```python\n(import simpler_eval.*?)```", README, re.DOTALL)
COMMAND = re.search(r"^simpler-eval (run --policy my_policy\.py.*)$", README, re.MULTILINE)


def test_the_policy_of_the_readme_plays(cli, tmp_path, monkeypatch):
    assert POLICY is not None
    assert COMMAND is not None
    monkeypatch.chdir(tmp_path)
    Path("my_policy.py").write_text(POLICY[1], encoding="utf-8")
    code, out, err = cli(*shlex.split(COMMAND[1]), "--max-steps", 2, "--workers", 1)
    assert code == 0, err
    assert "widowx_carrot_on_plate" in out
    data = load_run(Path("results/mine"))
    assert all(record.video for record in data.records.values())
    assert [record.status for record in data.records.values()] == ["failure", "failure"]
    assert data.header.policy.name == "my_policy"
    assert data.header.identity.policy.code is not None


def test_the_program_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    assert POLICY is not None
    assert PROGRAM is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(simpler_eval, "make_plan", partial(simpler_eval.make_plan, max_steps=2), raising=False)
    monkeypatch.setattr(simpler_eval, "run", partial(simpler_eval.run, world="fake_world", workers=1), raising=False)
    Path("my_policy.py").write_text(POLICY[1], encoding="utf-8")
    exec(PROGRAM[1], {"__name__": "__main__"})
    assert capsys.readouterr().out == "{'widowx_carrot_on_plate': 0.5}\n"
    assert load_run("results/python").header.policy.name == "my_policy"


def test_the_task_of_the_readme_is_planned(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "")
    (task,) = re.findall(r"```yaml\n# dark_carrot\.yaml\n(.*?)```", README, re.DOTALL)
    (command,) = re.findall(r"^simpler-eval run --policy oracle (--task dark_carrot\.yaml.*)$", README, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("dark_carrot.yaml").write_text(task, encoding="utf-8")
    code, out, err = cli("plan", *shlex.split(command), "--json")
    assert code == 0, err
    spec = json.loads(out)["episodes"][0]
    assert (spec["lighting"], spec["instruction"]) == ("slightly_darker", "move the carrot onto the plate")


OWN_TASKS = {"carrot_on_towel"}
"""That a page lets its reader make."""


def options_of(words: list[str]) -> set[str]:
    """The options of the verb that a command line begins with; of the command itself if it begins with an option."""
    command = typer.main.get_command(app)
    options = {"--install-completion", "--show-completion", "--version", "--help"}
    for word in words:
        if not hasattr(command, "get_command") or word.startswith("-"):
            break
        command = command.get_command(None, word)
        assert command is not None, words
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return options | {"--help"}


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in (REPO / "docs").glob("*.md"))])
def test_the_commands_of_a_page_have_only_options_that_there_are(page):
    text = (REPO / page).read_text(encoding="utf-8")
    for found in re.findall(r"^simpler-eval (.*)$|`simpler-eval ([^`]*)`", text, re.MULTILINE):
        words = "".join(found).split("#")[0].split()
        for option in {word for word in words if word.startswith("--")}:
            assert option in options_of(words), words


@pytest.mark.parametrize("folder", [".", "docs", "eval/cli"])
def test_pages_and_helps_name_suites_and_tasks_that_there_are(folder):
    known = {"suite": set(suite_names()), "task": set(task_names())}
    for path in (*(REPO / folder).glob("*.md"), *(REPO / folder).glob("*.py")):
        for command in re.findall(r"simpler-eval (?:[^`\n]|\\\n)*", path.read_text(encoding="utf-8")):
            for option, name in re.findall(r"--(suite|task) ([a-z]\w+)(?= |$)", command):
                assert name in known[option] | OWN_TASKS, (path, command)


def test_each_way_in_is_within_one_screen_of_the_readme():
    """Its section, with the command or the page that leads on."""
    sections = {part.split("\n", 1)[0]: part for part in README.split("\n## ")}
    for title, leads_on in {
        "Your own policy": "(docs/add_a_policy.md)",
        "Your own checkpoint": "--unnorm-key KEY",
        "Your own task": "(docs/add_a_task.md)",
        "From Python": "(docs/python.md)",
        "SimplerEnv code": "(docs/dropin.md)",
        "Going on after a failure": "--policy-changed",
    }.items():
        assert len(sections[title].splitlines()) <= 40
        assert leads_on in sections[title]
        assert f"](#{title.lower().replace(' ', '-')})" in README
