"""How the original begins the episodes of a plan: as its recorded scripts do, and so that it is the same episode."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from recordings import golden

from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from eval.simpler_api import SeedChain, spec_from_reset
from eval.simpler_api.names import ENVIRONMENTS
from eval.tasks.loading import load_task, task_names

SWEEPS = golden("simpler_spec/sweeps.json")
SUITES = ("google_robot_visual_matching", "google_robot_variant_aggregation", "widowx_visual_matching", "alt_urdf")


def rounded(numbers, digits):
    return [round(float(number), digits) for number in numbers]


def recorded(sweeps, suite):
    """What each run of the original's scripts builds and resets."""
    for variant in sweeps["suites"][suite]["variants"]:
        kwargs = dict(variant["additional_env_build_kwargs"])
        if kwargs.get("urdf_version") == "None":  # the same as none at all (docs/simpler.md, protocol trap 11)
            del kwargs["urdf_version"]
        env = [variant[key] for key in ("env_name", "scene_name", "robot", "control_freq", "sim_freq", "max_episode_steps")]
        for part in variant["runs"]:
            targets = sweeps["object_sets"][part["object_set"]]
            if targets["mode"] == "xy":
                objects = [{"init_xy": rounded((x, y), 9)} for x in targets["xs"] for y in targets["ys"]]
            else:
                objects = [{"episode_id": number} for number in range(*targets["episode_range"])]
            for pose in sweeps["robot_sets"][part["robot_set"]]["poses"]:
                robot = [rounded(pose["init_xy"], 9), rounded(pose["init_rot_quat"], 6)]
                for target in objects:
                    yield json.dumps([env, sorted(kwargs.items()), part["rgb_overlay"], robot, target])


def said(spec):
    """The same of one of our episodes."""
    reset = spec.simpler_reset
    kwargs = dict(reset.kwargs)
    env = [reset.env_id, *(kwargs.pop(k) for k in ("scene_name", "robot", "control_freq", "sim_freq", "max_episode_steps"))]
    photo = kwargs.pop("rgb_overlay_path")
    del kwargs["control_mode"]
    robot, target = reset.options["robot_init_options"], dict(reset.options["obj_init_options"])
    if "init_xy" in target:
        target["init_xy"] = rounded(target["init_xy"], 9)
    pose = [rounded(robot["init_xy"], 9), rounded(robot["init_rot_quat"], 6)]
    return json.dumps([env, sorted(kwargs.items()), photo and Path(photo).name, pose, target])


@pytest.mark.parametrize("suite", SUITES)
def test_every_episode_is_built_and_reset_as_the_scripts_do(suite):
    sweeps = json.loads(SWEEPS.read_text())
    assert Counter(map(said, make_plan(suite=suite))) == Counter(recorded(sweeps, suite))


@pytest.mark.parametrize("task", ENVIRONMENTS)
def test_every_task_has_its_prepackaged_keywords(task):
    reset = make_plan(tasks=[task], setting="prepackaged", seed=7, limit=1)[0].simpler_reset
    assert reset.kwargs["prepackaged_config"] is True
    assert (reset.seed, reset.options) == (7, {})


FILED = {"task", "setting", "variant", "index", "simpler_reset"}
"""Fields of an episode that say where it is filed, not what happens in it."""


def read_back(spec):
    """The episode that the original begins with the reset of the plan."""
    reset = spec.simpler_reset
    return spec_from_reset(reset.env_id, reset.kwargs, reset.seed, reset.options, SeedChain())


def test_every_reset_means_its_episode():
    for spec in make_plan(suite="everything"):
        assert read_back(spec).model_dump(exclude=FILED) == spec.model_dump(exclude=FILED), spec.variant


@pytest.mark.parametrize("task", task_names())
def test_every_variant_of_a_single_task_has_a_reset_that_means_it(task):
    for setting in load_task(task).settings:
        first = {spec.variant: spec for spec in reversed(make_plan(tasks=[task], setting=setting))}
        for spec in first.values():
            assert read_back(spec).model_dump(exclude=FILED) == spec.model_dump(exclude=FILED), spec.variant


def test_another_step_limit_reaches_the_original():
    for setting in ("visual_matching", "prepackaged"):
        (spec,) = make_plan(tasks=["widowx_stack_cube"], setting=setting, limit=1, max_steps=7)
        assert spec.simpler_reset.kwargs["max_episode_steps"] == 7
        assert read_back(spec).max_steps == 7


def test_a_reset_survives_the_record():
    (spec,) = make_plan(tasks=["google_robot_move_near"], limit=1)
    assert EpisodeSpec.model_validate_json(spec.model_dump_json()) == spec
    assert len({spec, EpisodeSpec.model_validate_json(spec.model_dump_json())}) == 1


def test_a_user_s_task_has_none(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "")
    file = tmp_path / "a_can_of_mine.yaml"
    file.write_text("extends: google_robot_pick_coke_can\nmax_steps: 90\n")
    assert {spec.simpler_reset for spec in make_plan(tasks=[str(file)])} == {None}
    can = "GraspSingleOpenedCokeCanInScene-v0"
    assert spec_from_reset(can, {}, 0, {}, SeedChain()).task == "google_robot_pick_coke_can", "the built-in task keeps its name"
