"""Every episode of every sweep in the original's own words, against the original's scripts as recorded."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from recordings import SHARED

from eval.plan.suites import make_plan
from eval.simpler_api.names import ENVIRONMENTS
from eval.simpler_api.reset_args import original_reset

SWEEPS = SHARED / "simpler_spec" / "sweeps.json"
SUITES = ("google_robot_visual_matching", "google_robot_variant_aggregation", "widowx_visual_matching", "alt_urdf")


def rounded(numbers, digits):
    return [round(float(number), digits) for number in numbers]


def recorded(sweeps, suite):
    """What each run of the original's scripts builds and resets."""
    for variant in sweeps["suites"][suite]["variants"]:
        kwargs = dict(variant["additional_env_build_kwargs"])
        if kwargs.get("urdf_version") == "None":  # the same as none at all (protocol trap 11)
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
    reset = original_reset(spec)
    kwargs = dict(reset.kwargs)
    env = [reset.env_id, *(kwargs.pop(k) for k in ("scene_name", "robot", "control_freq", "sim_freq", "max_episode_steps"))]
    photo = kwargs.pop("rgb_overlay_path")
    del kwargs["control_mode"]
    robot, target = reset.options["robot_init_options"], dict(reset.options["obj_init_options"])
    if "init_xy" in target:
        target["init_xy"] = rounded(target["init_xy"], 9)
    pose = [rounded(robot["init_xy"], 9), rounded(robot["init_rot_quat"], 6)]
    return json.dumps([env, sorted(kwargs.items()), photo and Path(photo).name, pose, target])


@pytest.mark.skipif(not SWEEPS.exists(), reason="needs the recorded sweeps of ../shared")
@pytest.mark.parametrize("suite", SUITES)
def test_every_episode_is_built_and_reset_as_the_scripts_do(suite):
    sweeps = json.loads(SWEEPS.read_text())
    assert Counter(map(said, make_plan(suite=suite))) == Counter(recorded(sweeps, suite))


@pytest.mark.parametrize("task", ENVIRONMENTS)
def test_every_task_has_its_prepackaged_words(task):
    spec = make_plan(tasks=[task], setting="prepackaged", seed=7, limit=1)[0]
    reset = original_reset(spec)
    assert reset.kwargs["prepackaged_config"] is True
    assert (reset.seed, reset.options) == (7, {})
