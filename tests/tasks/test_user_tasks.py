"""The folder of the user's tasks: whatever else lies there is in nobody's way, and is named when somebody asks for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from eval.plan.suites import make_plan
from eval.simpler_api.from_reset import env_ids, task_of_env

CARROT = "widowx_carrot_on_plate"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    for name in ("good", "my-file", "widowx_stack_cube"):
        (tasks / f"{name}.yaml").write_text(f"extends: {CARROT}\n")
    (tasks / "suite.yaml").write_text("about: x\nparts:\n  - {task: good, setting: visual_matching, limit: 3}\n")
    (tasks / "broken.yaml").write_text("family: [\n")
    (tasks / "binary.yaml").write_bytes(b"\xff\xfe\0")
    (tasks / "compose.yml").write_text("services: {}\n")
    (tasks / "folder.yaml").mkdir()
    (tasks / "link.yaml").symlink_to("nowhere")
    os.mkfifo(tasks / "pipe.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "tasks")
    return tasks


def test_what_is_no_task_breaks_nothing_that_does_not_ask_for_it(folder: Path) -> None:
    assert [len(make_plan(tasks=[name])) for name in ("good", CARROT)] == [24, 24]
    assert len(make_plan(suite="widowx_visual_matching")) == 96, "the suites of the package mean the tasks of the package"
    assert len(make_plan(suite="tasks/suite.yaml")) == 3
    assert len(env_ids()) > 40
    assert task_of_env("PutCarrotOnPlateInScene-v0") == CARROT


def test_the_list_shows_the_tasks_and_one_line_of_warning(folder: Path, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.plan.listing.suite_names", lambda: ("demo",))
    code, out, err = cli("list", "--json")
    names = {task["task"] for task in json.loads(out)["tasks"]}
    assert (code, err.count("\n")) == (0, 1)
    assert {"good", "widowx_stack_cube"} <= names
    assert not names & {"my-file", "suite", "broken", "binary", "compose", "folder", "link", "pipe"}
    assert "of your task files cannot be used: " in err


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("my-file", "use letters, digits and _ alone"),
        ("widowx_stack_cube", '"widowx_stack_cube" is a built-in task'),
        ("suite", "is a suite, no task; give it with --suite"),
        ("tasks/suite.yaml", "is a suite, no task; give it with --suite"),
        ("broken", "broken YAML"),
        ("binary", "is no UTF-8 text"),
        ("compose", "family: is missing"),
        ("link", "it is a link to nowhere, which is not there"),
        ("pipe", "it is a pipe or a device"),
        ("tasks/pipe.yaml", "it is a pipe or a device"),
        ("tasks/folder.yaml", "it is a folder"),
        ("folder", 'No task "folder"'),
    ],
)
def test_who_asks_for_one_learns_what_is_wrong_with_it(folder: Path, cli, task: str, said: str) -> None:
    code, out, err = cli("plan", "--task", task)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_two_files_of_one_name_are_refused_when_it_is_asked_for(folder: Path, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / "more").mkdir()
    (folder.parent / "more" / "good.yaml").write_text("extends: widowx_stack_cube\n")
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "tasks:more")
    assert len(make_plan(tasks=[CARROT])) == 24
    code, _, err = cli("plan", "--task", "good")
    assert code == 2
    assert "a task of the same name" in err


def test_a_task_given_as_a_suite_says_so(folder: Path, cli) -> None:
    code, _, err = cli("plan", "--suite", "tasks/good.yaml")
    assert code == 2
    assert "is a task, no suite; give it with --task" in err
