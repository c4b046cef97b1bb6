"""Our Gymnasium environments: the episodes are those of a plan, and end as SIMPLER's do."""

from __future__ import annotations

import subprocess
import sys

import gymnasium
import numpy as np
import pytest

import simpler_eval
from eval.errors import UserError
from eval.tasks.user_tasks import built_in_tasks

CARROT = "simpler_eval/widowx_carrot_on_plate-v0"
ASKED = {"world": "fake_world", "max_steps": 3, "limit": 4}


@pytest.fixture
def env():
    made = gymnasium.make(CARROT, disable_env_checker=True, render_mode="rgb_array", **ASKED)
    yield made
    made.close()


def test_every_task_has_an_id_in_whatever_order_the_two_are_imported():
    ids = {env_id for env_id in gymnasium.registry if env_id.startswith("simpler_eval/")}
    assert ids == {"simpler_eval/task-v0", *(f"simpler_eval/{task}-v0" for task in built_in_tasks())}
    for order in ("simpler_eval, gymnasium", "gymnasium, simpler_eval"):
        code = f"import {order}; print({CARROT!r} in gymnasium.registry)"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_seeds_go_through_the_plan_and_options_choose_from_it(env):
    plan = simpler_eval.make_plan(tasks="widowx_carrot_on_plate", max_steps=3, limit=4)
    assert env.unwrapped.plan == plan
    for seed in (0, 1, 3, 5):
        _, info = env.reset(seed=seed)
        assert (info["episode_index"], info["episode"]) == (seed % 4, plan[seed % 4].id)
    assert env.reset(seed=0, options={"index": 2})[1]["episode"] == plan[2].id
    assert env.reset(options={"episode": plan[3].id})[1]["episode_index"] == 3
    drawn = [env.reset(seed=9)[1]["episode_index"], *(env.reset()[1]["episode_index"] for _ in range(20))]
    again = [env.reset(seed=9)[1]["episode_index"], *(env.reset()[1]["episode_index"] for _ in range(20))]
    assert drawn == again
    assert len(set(drawn)) > 1
    for options, says in [({"index": 4}, "from 0 on"), ({"episode": "x"}, "no episode"), ({"indx": 1}, 'Did you mean "index"')]:
        with pytest.raises(UserError, match=says):
            env.reset(options=options)


def test_an_episode_lasts_to_its_limit_and_its_last_step_decides(env):
    observation, info = env.reset(seed=0)
    assert observation["image"].shape == (32, 48, 3)
    assert info["success"] is False
    ends = [env.step(np.zeros(7)) for _ in range(3)]
    assert [(reward, terminated, truncated) for _, reward, terminated, truncated, _ in ends] == [
        (1.0, False, False), (1.0, False, False), (1.0, False, True),
    ]  # fmt: skip
    assert ends[-1][4]["is_success"] is True
    assert (env.render() == 3).all()
    assert (ends[0][0]["image"] == 1).all(), "an observation stays as it was"
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(7))
    env.reset(seed=1)
    assert env.step(np.zeros(7))[4]["success"] is False
    with pytest.raises(ValueError, match="7 finite numbers"):
        env.step([np.nan] * 7)
    for action in (np.full(7, 1j), np.ma.masked_all(7)):
        with pytest.raises(ValueError, match="7 finite numbers"):
            env.step(action)


def test_training_may_end_at_the_first_success_and_read_the_instruction():
    with gymnasium.make(CARROT, disable_env_checker=True, terminate_on_success=True, text=True, **ASKED) as env:
        observation, info = env.reset(seed=0)
        assert observation["instruction"] == info["instruction"]
        assert env.observation_space["instruction"].contains("put carrot on plate")
        assert env.step(np.zeros(7))[2:4] == (True, False)


def test_a_vector_of_environments_plays_the_plan_side_by_side():
    envs = gymnasium.make_vec(CARROT, num_envs=3, **ASKED, vector_kwargs={"observation_mode": "different"})
    _, infos = envs.reset(seed=0)
    assert [*infos["episode_index"]] == [0, 1, 2]
    *_, truncated, infos = [envs.step(np.zeros((3, 7))) for _ in range(3)][-1]
    assert truncated.all()
    assert [*infos["success"]] == [True, False, True]
    envs.close()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({"rt": "x"}, 'rt cannot be "x"; use auto, trace, fast or raster'),
        ({"rt": "trace"}, "rt trace has no effect"),
        ({"world": "simpler-evil"}, 'There is no world "simpler-evil"'),
        ({"world": "simpler-env"}, "plays in a process of its own"),
        ({"render_device": "x"}, '"x" is not known; use cuda'),
        ({"assets": 3}, "assets"),
        ({"text": "yes"}, "text is 'yes'; give True or False"),
        ({"terminate_on_success": 2}, "terminate_on_success is 2; give True or False"),
        ({"max_steps": 0}, "at least 1"),
        ({"limit": 1.5}, "limit"),
        ({"max_step": 3}, 'no option "max_step". Did you mean "max_steps"'),
        ({"foo": 1}, 'no option "foo". Known: assets, '),
        ({"task": "widowx_stack_cube"}, "this id plays widowx_carrot_on_plate; simpler_eval/task-v0 plays any task"),
    ],
)
def test_a_keyword_or_value_that_means_nothing_is_one_line_when_it_is_made(keywords, says):
    with pytest.raises(UserError) as refused:
        gymnasium.make(CARROT, disable_env_checker=True, **keywords)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_cannot_be_made_is_one_line():
    for nothing, says in [({}, "say which: task="), ({"task": ["a", "b"]}, "the name of one task")]:
        with pytest.raises(UserError, match=says):
            gymnasium.make("simpler_eval/task-v0", disable_env_checker=True, **nothing)
    for keywords, says in [({"setting": "nowhere"}, "nowhere"), ({"render_mode": "ansi"}, "use rgb_array")]:
        with pytest.raises(UserError, match=says):
            gymnasium.make(CARROT, disable_env_checker=True, **keywords)
    with pytest.raises(UserError, match="Did you mean"):
        gymnasium.make("simpler_eval/task-v0", disable_env_checker=True, task="widowx_carot_on_plate")
