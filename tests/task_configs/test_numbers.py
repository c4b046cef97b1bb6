"""The tables against the numbers that were recorded from the original."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from task_configs import counts_in_average, lights, load_task, objects, robots, scenes

SHARED = Path(__file__).parents[2].parent / "shared"
SPEC = SHARED / "simpler_spec"
PARITY = SHARED / "parity"
pytestmark = pytest.mark.skipif(not SPEC.exists(), reason=f"no recordings at {SPEC}")

LIGHT_NAMES = {
    "default": "default",
    "slightly_brighter": "slightly_brighter_lighting",
    "slightly_darker": "slightly_darker_lighting",
    "darker": "darker_lighting",
}
KEY_OF_ROBOT = {
    "google_robot_static": "coke_base",
    "google_robot_static_half_finger_friction": "coke_friction_half",
    "google_robot_static_quarter_finger_friction": "coke_friction_quarter",
    "google_robot_static_one_eighth_finger_friction": "coke_friction_one_eighth",
    "google_robot_static_twice_finger_friction": "coke_friction_twice",
    "google_robot_static_worse_control1": "coke_worse_control1",
    "google_robot_static_worse_control2": "coke_worse_control2",
    "google_robot_static_worse_control3": "coke_worse_control3",
    "widowx": "carrot_plate",
}


def spec_tables() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SPEC / "tasks.json").read_text())
    return loaded


def test_boxes_and_densities_are_the_originals() -> None:
    for table in ("pick_custom_v0", "bridge_custom_v0"):
        recorded = spec_tables()["model_db"][f"info_{table}"]
        assert objects(table)
        for name, model in objects(table).items():
            assert list(model.bbox_min) == recorded[name]["bbox_min"]
            assert list(model.bbox_max) == recorded[name]["bbox_max"]
            assert model.density == recorded[name]["density"]


def test_lights_are_the_originals() -> None:
    recorded = spec_tables()["lighting"]["GraspSingle"]
    for name, lighting in lights("tabletop").items():
        expected = recorded[LIGHT_NAMES[name]]
        assert expected["ambient"] == [lighting.ambient] * 3
        assert [list(light.direction) for light in lighting.directional] == [
            light["direction"] for light in expected["directional"]
        ]
        assert [[light.color] * 3 for light in lighting.directional] == [
            light["color"] for light in expected["directional"]
        ]
    both = spec_tables()["lighting"]["MoveNear_and_PutOn"]
    assert both["default"] == recorded["default"], "one table serves both families"


def test_stages_stand_where_the_originals_do() -> None:
    recorded = spec_tables()["scenes"]
    for name, scene in scenes().items():
        assert name in recorded["files"]
        family = "widowx*" if name.startswith("bridge") else "google_robot_static*"
        assert list(scene.offset) == recorded["default_offset"][family]
        assert list(scene.local_quat) == recorded["default_local_quat"]
        assert scene.file == f"hab2_bench_assets/stages/{name}.glb"


def test_distractor_sets_and_targets_are_the_originals() -> None:
    recorded = spec_tables()
    can, things = load_task("google_robot_pick_coke_can"), load_task("google_robot_pick_object")
    assert can.family == things.family == "grasp"
    assert {name: list(models) for name, models in can.distractor_sets.items()} == recorded["distractor_sets"]
    assert list(things.targets) == recorded["registered_envs"]["GraspSingleRandomObjectInScene-v0"]["model_ids"]


def test_carrot_placements_are_the_originals() -> None:
    task = load_task("widowx_carrot_on_plate")
    assert task.family == "put_on"
    episodes = spec_tables()["families"]["bridge"]["tasks"]["PutCarrotOnPlateInScene-v0"]["episodes"]
    assert task.placements == len(episodes) == 24
    for episode in episodes:
        for number in (episode["id"], episode["id"] + 24):  # ids wrap around
            (source, source_quat), (goal, goal_quat) = task.placement(number)
            np.testing.assert_allclose(source, episode["src_xy"], atol=1e-12)
            np.testing.assert_allclose(goal, episode["tgt_xy"], atol=1e-12)
            np.testing.assert_allclose(source_quat, episode["src_q"], atol=1e-8)
            np.testing.assert_allclose(goal_quat, episode["tgt_q"], atol=1e-8)


def test_only_cameras_stay_out_of_the_published_average() -> None:
    sweep = json.loads((SPEC / "sweeps.json").read_text())["suites"]["google_robot_variant_aggregation"]["variants"]
    counted = [v["counts_in_average"] for v in sweep if v["family"] == "pick_coke_can"]
    task = load_task("google_robot_pick_coke_can")
    ours = task.variants("variant_aggregation")
    assert sum(variant.in_average for variant in ours) == sum(counted) == 27
    assert {v.name.split("/")[1] for v in ours if not v.in_average} == {"camera=alt_1", "camera=alt_2"}
    assert not counts_in_average("google_robot_pick_coke_can", "variant_aggregation", "standing/camera=alt_2")
    assert counts_in_average("google_robot_pick_coke_can", "variant_aggregation", "standing/base")


@pytest.mark.skipif(not PARITY.exists(), reason=f"no recordings at {PARITY}")
@pytest.mark.parametrize("uid", list(robots()))
def test_robots_are_driven_and_see_as_recorded(uid: str) -> None:
    robot = robots()[uid]
    key = KEY_OF_ROBOT[uid]
    recorded = json.loads((PARITY / f"{key}.json").read_text())["static"]
    assert (recorded["sim_freq"], recorded["control_freq"]) == (robot.sim_freq, robot.control_freq)
    assert recorded["control_mode"] == robot.control_mode
    assert recorded["urdf_path"] == f"{robot.urdf}.urdf"
    assert recorded["joint_names"] == list(robot.joints)
    for name in ("stiffness", "damping", "force_limit"):
        values = [joint[name] for joint in recorded["joint_props"]]
        np.testing.assert_allclose(getattr(robot, name), values, rtol=1e-6, err_msg=name)

    friction = dict.fromkeys(recorded["link_names"], (1.0, 1.0, 0.0, 0.0))
    for material in robot.materials:
        friction |= {k: (material.static, material.dynamic, *[material.patch_radius] * 2) for k in material.links}
    fingers = (*[robot.finger_friction] * 2, *[robot.finger_patch_radius] * 2)
    friction |= dict.fromkeys(robot.finger_links, fingers)
    for link in recorded["link_static"]:
        for material in link["materials"]:
            np.testing.assert_allclose(material, friction[link["name"]], rtol=1e-6, err_msg=link["name"])

    arrays, camera = np.load(PARITY / f"{key}.npz"), robot.camera
    intrinsic = [[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]]
    np.testing.assert_allclose(arrays[f"r0/cam.{camera.uid}.intrinsic_cv"], intrinsic, rtol=1e-6)
    size = [camera.width, camera.height, camera.near, camera.far]
    np.testing.assert_allclose(arrays[f"r0/cam.{camera.uid}.size_near_far"], size, rtol=1e-6)
