"""docs/add_a_task.md, followed literally: its file is written where it says, its commands are typed as they stand."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from eval.cli import main
from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.folder import load_run
from eval.records.merging import load_runs
from eval.rollout.run import run
from eval.tasks.loading import load_task, task_names

REPO = Path(__file__).parents[2]
PAGE = (REPO / "docs" / "add_a_task.md").read_text(encoding="utf-8")
(TASK,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
(FILE,) = re.findall(r"^`(tasks/\w+\.yaml)`", PAGE, re.MULTILINE)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A user's folder with the file of the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "")
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text(TASK)
    return tmp_path


def typed(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    program, *arguments = shlex.split(command)
    assert program == "simpler-eval"
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr()
    assert end.value.code == 0, said.err
    return said.out


def test_the_page_plans_what_it_says(here, capsys):
    plans = [typed(command, capsys).split(",")[0] for command in COMMANDS if " plan " in command]
    assert plans == ["24 episodes", "72 episodes"]
    assert "The first shows 24 episodes, the second 72." in PAGE


def test_the_page_plays_its_task_and_a_copy_of_the_file_stays_with_the_run(here, capsys, monkeypatch):
    (command,) = (command for command in COMMANDS if " run " in command)
    typed(command, capsys)
    data = load_run(here / "results/carrot")
    assert [(r.task, r.status) for r in data.records.values()] == [("carrot_on_towel", "success")]
    (here / FILE).unlink()
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "")
    assert "carrot_on_towel" not in task_names()
    rows = json.loads(typed("simpler-eval report results/carrot --json", capsys))["rows"]
    assert rows[0]["task"] == "carrot_on_towel"
    assert load_task("carrot_on_towel").max_steps == 60, "the run brought its task along"
    typed("simpler-eval run --resume results/carrot", capsys)


def test_the_folder_of_ones_tasks_makes_them_known_by_name(here, capsys, monkeypatch):
    assert (re.search(r"export (\w+)=(\w+)", PAGE) or [None])[0] == "export SIMPLER_EVAL_TASKS=tasks"
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "tasks")
    listed = json.loads(typed("simpler-eval list --json", capsys))["tasks"]
    assert ("carrot_on_towel", "variant_aggregation", 72) in {(t["task"], t["setting"], t["episodes"]) for t in listed}
    assert len(make_plan(tasks=["carrot_on_towel"])) == 24


def test_a_suite_names_the_file_relative_to_itself(here, monkeypatch):
    (line,) = re.findall(r"`(- \{task: tasks/.*?\})`", PAGE)
    (here / "suite.yaml").write_text(f"about: mine\nparts:\n  {line}\n")
    monkeypatch.chdir("/")
    plan = make_plan(suite=str(here / "suite.yaml"))
    assert (len(plan), plan[0].task) == (24, "carrot_on_towel")
    assert plan[0].id == make_plan(tasks=[str(here / FILE)])[0].id


def test_a_task_extends_another(here):
    (extends,) = re.findall(r"`(extends: \w+)`", PAGE)
    (here / "mine.yaml").write_text(f"{extends}\nmax_steps: 7\n")
    (here / "theirs.yaml").write_text("extends: mine\nsetup: {lighting: slightly_darker}\n")
    assert make_plan(tasks=["mine.yaml"])[0].max_steps == 7
    plan = make_plan(tasks=["theirs.yaml"])
    assert (plan[0].max_steps, plan[0].lighting) == (7, "slightly_darker")


def test_a_run_is_not_continued_with_a_changed_task(here):
    plan = make_plan(tasks=[FILE], limit=1, max_steps=1)
    run(plan, "random", out=here / "run", world="fake_world", workers=1)
    (here / FILE).write_text(TASK.replace("height_margin: 0.02", "height_margin: 0.03"))
    with pytest.raises(UserError, match="holds a run with tasks"):
        run(plan, "random", out=here / "run", world="fake_world", workers=1)


def test_runs_with_different_files_of_a_task_are_not_reported_as_one(here):
    for number, name in enumerate(("one", "two")):
        (here / FILE).write_text(TASK.replace("height_margin: 0.02", f"height_margin: 0.0{number + 2}"))
        plan = make_plan(tasks=[FILE], limit=2, max_steps=1)
        run(plan[number : number + 1], "random", out=here / name, world="fake_world", workers=1)
    with pytest.raises(UserError, match=r"has task file carrot_on_towel .* report them apart"):
        load_runs([here / "one", here / "two"])


def refused(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    said = capsys.readouterr()
    assert (end.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    return said.err


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("max_steps: 60", "max_step: 60", 'tasks/carrot_on_towel.yaml: unknown key "max_step". Did you mean "max_steps"?'),
        ("source: bridge_carrot", "source: brigde_carrot", 'Did you mean "bridge_carrot_generated_modified"?'),
        ("{lighting: slightly_darker}", "{lighting: slightly_draker}", 'Did you mean "slightly_darker"?'),
        ("{lighting: slightly_darker}", "{lihgting: slightly_darker}", 'unknown key "lihgting". Did you mean "lighting"?'),
        ("family: put_on", "family: puton", 'no family "puton". Did you mean "put_on"?'),
        ("episodes: {ids: 24} ", "episodes: {idz: 24} ", 'unknown key "idz". Did you mean "ids"?'),
        ("axes:", "axes: [", "broken YAML"),
        ("family: put_on", "extends: carrot_on_towel", "carrot_on_towel -> carrot_on_towel goes round in a circle"),
    ],
)
def test_a_typo_in_the_file_is_one_line(here, capsys, right, wrong, said):
    assert right in TASK
    (here / FILE).write_text(TASK.replace(right, wrong))
    message = refused("plan", "--task", FILE, "--setting", "variant_aggregation", capsys=capsys)
    assert said in message
    assert "carrot_on_towel.yaml" in message


def test_a_wrong_place_or_name_is_one_line(here, capsys, monkeypatch):
    assert "tasks/carrot.yaml: there is no such task file" in refused("plan", "--task", "tasks/carrot.yaml", capsys=capsys)
    for name in ("my task.yaml", "widowx_stack_cube.yaml"):
        (here / name).write_text(TASK)
    assert "letters, digits and _ alone" in refused("plan", "--task", "my task.yaml", capsys=capsys)
    assert "is a built-in task" in refused("plan", "--task", "widowx_stack_cube.yaml", capsys=capsys)
    assert len(make_plan(tasks=[FILE])) == 24, "a refused file is forgotten"
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "taks")
    assert "taks is neither a folder" in refused("list", capsys=capsys)
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "tasks")
    (here / "carrot_on_towel.yaml").write_text(TASK)
    assert "a task of the same name" in refused("plan", "--task", "carrot_on_towel.yaml", capsys=capsys)
    assert 'Did you mean "carrot_on_towel"?' in refused("plan", "--task", "carrot_on_towl", capsys=capsys)
