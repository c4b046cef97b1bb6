"""``eval.run`` and its neighbours as a program in Python calls them: paths of any kind, working folders that move, typos."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import fake_world
import numpy as np
import pytest
from fake_policies import Counts, Still

import simpler_eval
from eval.errors import EpisodesErrored, UserError
from eval.records.folder import load_run

POLICY = """
import os
from pathlib import Path
import numpy as np
from policies.base import Action, PolicyDescription

class Wanders:
    needs_image = needs_privileged = False

    def __init__(self, weights, gain=1.0, flag=False):
        assert Path(weights).read_text() == "weights"
        self.gain, self.flag = gain, flag

    def reset(self, episodes): ...

    def act(self, observations):
        os.chdir("/")
        return [Action(np.zeros(7)) for _ in observations]

    def describe(self):
        return PolicyDescription(name="wanders", settings={"gain": self.gain, "flag": self.flag})

    def close(self): ...
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A working folder with a policy, its weights, a task file and a folder for the fake world's marks."""
    monkeypatch.setenv(simpler_eval.USER_FOLDERS, "{}")
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "tasks")
    lab = tmp_path / "lab"
    for folder in ("tasks", "marks"):
        (lab / folder).mkdir(parents=True)
    (lab / "policy.py").write_text(POLICY)
    (lab / "w.txt").write_text("weights")
    (lab / "tasks/my_task.yaml").write_text("extends: widowx_carrot_on_plate\n")
    monkeypatch.chdir(lab)
    return lab


def test_nothing_depends_on_where_the_working_folder_is_later(lab, tmp_path, monkeypatch, cli):
    def stop(record):
        raise KeyboardInterrupt

    plan = simpler_eval.make_plan(tasks="my_task", limit=3, max_steps=4)
    os.chdir(tmp_path)  # the variable is relative to the folder of the first look
    assert simpler_eval.make_plan(tasks="my_task", limit=1)[0].task == "my_task"
    os.chdir(lab)
    with pytest.raises(KeyboardInterrupt):
        simpler_eval.run(
            plan, Path("policy.py:Wanders"), policy_args={"weights": Path("w.txt"), "gain": np.float64(2), "flag": True},
            out="run", assets=Path("marks"), world=fake_world, workers=1, listener=stop,
        )  # fmt: skip
    assert Path.cwd() == Path("/")
    before = load_run(lab / "run")
    assert 0 < len(before.records) < len(plan)
    os.chdir(tmp_path)
    assert cli("run", "--resume", "lab/run")[0] == 0  # the policy is found where it was, and is the same
    os.chdir(tmp_path)
    data = load_run("lab/run")
    assert len(data.records) == len(plan)
    assert data.header.options.policy == "policy.py:Wanders"
    assert data.header.options.policy_args == {"weights": "w.txt", "gain": 2.0, "flag": True}
    assert data.header.identity.policy.settings == {"gain": 2.0, "flag": True, "weights": "w.txt"}  # it tells no hash of them
    assert str(tmp_path) not in data.header.identity.model_dump_json()
    os.chdir("/")
    simpler_eval.write_tables(data)
    assert len((lab / "marks/built").read_text().split()) == 2


def test_one_name_is_one_name(lab):
    suite = lab / "suite.yaml"
    suite.write_text("about: mine\nparts:\n- {task: widowx_carrot_on_plate, setting: visual_matching}\n")
    plan = simpler_eval.make_plan(tasks="google_robot_pick_coke_can", variants="standing/*", limit=2)
    assert [spec.variant.split("/")[0] for spec in plan] == ["standing"] * 2
    task = simpler_eval.make_plan(tasks=Path("tasks/my_task.yaml"), limit=1)
    assert [spec.task for spec in task] == ["my_task"]
    assert len(simpler_eval.make_plan(Path("suite.yaml"), limit=1)) == 1
    out = Path("one")
    simpler_eval.run(task, "random", policy_args={"seed": np.int64(3), "scale": 0.5}, out=out, world="fake_world", workers=1)
    run = simpler_eval.load_runs(str(out))
    assert run.header.identity.policy.seed == 3
    assert run.success_rates() == {"my_task": 1.0}
    assert run.table()["successes"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simpler_eval.make_plan(taks="x"), r'make_plan\(\) has no keyword "taks". Did you mean "tasks"'),
        (lambda: simpler_eval.run([], placements="heldout"), r'no keyword "placements": .*; give it to make_plan\(\)'),
        (lambda: simpler_eval.run([], outt="x"), r'run\(\) has no keyword "outt". Did you mean "out"'),
        (lambda: simpler_eval.run([], vidio="x"), 'Did you mean "video"'),
        (lambda: simpler_eval.run("demo"), "The plan must be a list of episodes"),
        (lambda: simpler_eval.run([], Still), r"Still is a class; give an object of it, such as Still\(\)"),
        (lambda: simpler_eval.run([], ModuleType("m")), "is no policy: it has no method reset, act, describe, close"),
        (lambda: simpler_eval.run([], "oracle", policy_args={"noise": [1]}), "noise is a list"),
        (lambda: simpler_eval.run([], Still(), policy_args={"noise": 1}), "policy_args has no effect: the policy is an object"),
        (lambda: simpler_eval.run([], "oracle", listener=3), "listener is 3; give a function"),
        (lambda: simpler_eval.load_policy(3), "The policy is 3; give its name"),
        (lambda: simpler_eval.load_policy("random", [1]), r"The options of random are \[1\]; give names and values"),
        (lambda: simpler_eval.run([], "oracle", workers="2"), "workers: input should be a valid integer"),
        (lambda: simpler_eval.run([], "oracle", gpus="2"), 'gpus: input should be a valid integer, got "2"'),
        (lambda: simpler_eval.run([], "oracle", shard=3), "shard is 3; give a text"),
        (lambda: simpler_eval.load_run(3), "the folder of a run is 3; give a text or a path"),
    ],
)
def test_what_is_wrong_in_a_call_is_said(call, message):
    with pytest.raises((UserError, TypeError), match=message):
        call()


def test_an_episode_stands_in_a_plan_once(make_spec):
    with pytest.raises(UserError, match=r"The plan holds episode .* 2 times"):
        simpler_eval.run([make_spec(0), make_spec(1), make_spec(0)], Still(), world="fake_world")


def test_a_lost_episode_is_raised_when_asked_for(tmp_path, make_spec):
    plan = [make_spec(0)]
    said = rf"1 of 1 episode in {tmp_path}/\w+ errored: 1 x .*ZeroDivisionError.*policy bug"
    data = simpler_eval.run(plan, Counts(plan[0].id), out=tmp_path / "counted", world="fake_world", workers=1)
    assert data.success_rates() == {"fake_task": None}
    with pytest.raises(EpisodesErrored, match=said):
        data.raise_errors()
    with pytest.raises(EpisodesErrored, match=said):
        simpler_eval.run(plan, Counts(plan[0].id), out=tmp_path / "raised", world="fake_world", workers=1, fail_on_error=True)
