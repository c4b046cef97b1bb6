"""Our benchmark of vla-eval plays the episodes of a run, and its YAML names all of them."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
import yaml
from vla_eval_stub import modules

import simpler_eval
from eval.errors import UserError
from policies.sticky_gripper import Gripper


@pytest.fixture
def benchmark(monkeypatch):
    for name, module in modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "eval.interop.vla_eval", raising=False)
    from eval.interop.vla_eval import SimplerEval

    yield SimplerEval
    sys.modules.pop("eval.interop.vla_eval", None)


def test_episodes_are_those_of_the_plan(benchmark):
    plan = simpler_eval.make_plan(tasks="widowx_carrot_on_plate", max_steps=3)
    played = benchmark("widowx_carrot_on_plate", max_episode_steps=3, world="fake_world", send_state=True)
    verdicts = []
    for index in range(2):
        task = {**played.get_tasks()[0], "episode_idx": index}
        seen = played.make_obs(played.reset(task), task)
        assert (task["episode"], task["seed"], task["robot"]) == (plan[index].id, plan[index].seed, "widowx")
        assert seen["images"]["primary"].shape == (32, 48, 3)
        assert seen["states"].shape == (8,)
        assert seen["task_description"] == "do something"
        for step in range(3):
            result = played.step({"actions": np.zeros((1, 7))})
            assert played.check_done(result) is (step == 2)
        verdicts.append(played.get_step_result(result)["success"])
    assert verdicts == [True, False]
    with pytest.raises(UserError, match="set episodes_per_task: 24"):
        played.reset({"episode_idx": 24})
    played.cleanup()


def test_an_option_that_means_nothing_is_refused_before_anything_is_played(benchmark):
    for given, says in [
        ({"rt": "x"}, 'rt cannot be "x"; use auto'),
        ({"send_state": "no"}, "send_state is 'no'; give True or False"),
        ({"tasks": "widowx_stack_cube"}, 'This benchmark has no option "tasks". Did you mean "task_name"'),
    ]:
        with pytest.raises(UserError, match=re.escape(says)):
            benchmark(**given)


@pytest.mark.parametrize("mode", ["early_stop", "accumulate"])
def test_a_server_may_ask_for_another_success(benchmark, mode):
    played = benchmark("widowx_carrot_on_plate", max_episode_steps=3, world="fake_world", success_mode=mode)
    played.reset({"episode_idx": 0})
    result = played.step({"actions": np.zeros(7)})
    assert played.check_done(result) is (mode == "early_stop")
    assert played.get_step_result(result)["success"] is True
    with pytest.raises(UserError, match="use truncation"):
        benchmark(success_mode="sometimes")


def test_grippers_are_driven_as_servers_mean_them(benchmark, monkeypatch):
    told = []
    from eval.interop.episodes import OneWorld

    monkeypatch.setattr(
        OneWorld, "step", lambda self, command, terminate=False: told.append(command[6]) or self.begin(self.spec)
    )
    begin = OneWorld.begin
    monkeypatch.setattr(OneWorld, "begin", lambda self, spec: setattr(self, "spec", spec) or begin(self, spec))

    def commands(task, openings, **keywords):
        played = benchmark(task, world="fake_world", **keywords.pop("params", {}))
        played.reset({"episode_idx": 0})
        told.clear()
        for opening in openings:
            played.step({"actions": np.array([0.0] * 6 + [opening]), **keywords})
        return [float(command) for command in told]

    assert commands("widowx_carrot_on_plate", [0.2, 0.6, 1.0]) == [-1.0, 1.0, 1.0]
    assert commands("widowx_carrot_on_plate", [0.2, -1.0], terminate=False) == [0.2, -1.0]  # a server of ours
    ours = Gripper("google_robot")
    wanted = [ours.command(opening) for opening in np.random.default_rng(1).random(40)]
    sent = [(1 - command) / 2 for command in wanted]
    np.testing.assert_allclose(commands("google_robot_move_near", sent), wanted, atol=1e-12)
    assert commands("google_robot_move_near", [0.7], params={"gripper_mode": "command"}) == [0.7]


def test_the_yaml_has_an_entry_a_cell_and_every_episode(cli, tmp_path, benchmark):
    file = tmp_path / "simpler.yaml"
    code, out, err = cli("vla-eval-config", file, "--suite", "tracevla_table1", "--url", "ws://gpu:9000")
    assert code == 0, err
    config = yaml.safe_load(file.read_text())
    assert config["server"] == {"url": "ws://gpu:9000"}
    plan = simpler_eval.make_plan("tracevla_table1")
    assert f"{len(plan)} episodes" in out
    played = [
        spec.id for entry in config["benchmarks"] for spec in benchmark(**entry["params"])._plan[: entry["episodes_per_task"]]
    ]
    assert sorted(played) == sorted(spec.id for spec in plan)
    assert len({entry["name"] for entry in config["benchmarks"]}) == len(config["benchmarks"])


def test_the_yaml_names_a_task_file_by_its_path_and_replaces_no_other_file(cli, tmp_path, benchmark):
    task, file = tmp_path / "my_carrot.yaml", tmp_path / "simpler.yaml"
    task.write_text("extends: widowx_carrot_on_plate\ninstruction: move it\n")
    for _ in range(2):  # its own file it may replace
        code, _, err = cli("vla-eval-config", file, "--task", task)
        assert code == 0, err
    (entry,) = yaml.safe_load(file.read_text())["benchmarks"]
    assert entry["params"]["task_name"] == str(task)
    assert benchmark(**entry["params"])._plan[0].instruction == "move it"
    before = task.read_text()
    for given, said in (
        ((task,), "is a file of something else"),
        ((file, "--url", "gpu:9000"), "write ws://HOST:PORT"),
        ((file, "--assets", tmp_path / "none"), "does not exist"),
    ):
        code, out, err = cli("vla-eval-config", *given)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err
    assert task.read_text() == before
