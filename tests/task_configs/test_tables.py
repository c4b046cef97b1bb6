"""The tables against the numbers that were recorded from the original."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from recordings import golden

from eval.records.aggregation import counts
from eval.tasks.loading import load_task, task_names
from task_configs.schema.tables import lights, objects, robot_places, robots, scenes

SPEC = golden("simpler_spec")
PARITY = golden("parity")

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
    "widowx_bridge_dataset_camera_setup": "spoon_bridge_camera",
    "widowx_sink_camera_setup": "eggplant_basket",
}


def spec_tables() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SPEC / "tasks.json").read_text())
    return loaded


def test_boxes_and_densities_are_the_originals() -> None:
    for name, recorded in spec_tables()["model_db"].items():
        table = objects(name.removeprefix("info_"))
        assert {
            model: {"bbox_min": list(o.bbox_min), "bbox_max": list(o.bbox_max), "scales": [1.0], "density": o.density}
            for model, o in table.items()
        } == recorded


def test_lights_are_the_originals() -> None:
    recorded = spec_tables()["lighting"]
    both = recorded["GraspSingle"] | recorded["MoveNear_and_PutOn"]
    assert recorded["GraspSingle"]["default"] == recorded["MoveNear_and_PutOn"]["default"], "one table serves both"
    modes = recorded["MoveNearGoogleBakedTexInScene-v1 light_mode"]
    assert modes["simple"] == both["ambient_only_lighting"]
    cabinet = recorded["Drawer_and_Place light_mode"]
    tables = {
        "tabletop": {
            "default": both["default"],
            **{f"slightly_{name}": both[f"slightly_{name}_lighting"] for name in ("brighter", "darker")},
            **{name: both[f"{name}_lighting"] for name in ("darker", "original", "ambient_only")},
            "simple2": modes["simple2"],
        },
        "sink": {"default": recorded["Eggplant"]["default"]},
        "cabinet": {name.removesuffix(" (default)").replace("None", "default"): light for name, light in cabinet.items()},
    }
    for family, expected in tables.items():
        assert lights(family).keys() == expected.keys()
        for name, lighting in lights(family).items():
            assert expected[name]["ambient"] == [lighting.ambient] * 3
            assert [(list(o.direction), [o.color] * 3, o.shadow) for o in lighting.directional] == [
                (light["direction"], light["color"], light["shadow"] is True) for light in expected[name]["directional"]
            ]


def test_stages_stand_where_the_originals_do() -> None:
    recorded = spec_tables()["scenes"]
    assert scenes().keys() == recorded["files"].keys()
    for name, scene in scenes().items():
        special = recorded["special"].get(f"{name.removesuffix('_no_roof')}*", {})
        local = special.get("resulting_local_pose", {"p": [0, 0, 0], "q": recorded["default_local_quat"]})
        family = "widowx*" if name.startswith("bridge") else "google_robot_static*"
        assert list(scene.offset) == special.get("offset", recorded["default_offset"][family])
        if scene.slab is None:
            assert (list(scene.local_position), list(scene.local_quat)) == (local["p"], local["q"])
            assert scene.file == f"hab2_bench_assets/stages/{name}.glb"
        else:
            assert list(scene.slab.half_size) == recorded["special"][name]["visual_box_half_size"]
            assert list(scene.slab.color) == recorded["special"][name]["color"]


def test_objects_near_each_other_are_the_originals() -> None:
    task, recorded = load_task("google_robot_move_near"), spec_tables()["families"]["move_near"]
    assert task.family == "move_near"
    triplets = [[list(models) for models in chosen.triplets] for chosen in task.object_sets.values()]
    assert triplets == list(recorded["triplets"].values())
    assert [list(map(list, layout)) for layout in task.layouts] == recorded["xy_configs"]
    assert list(task.roles) == list(zip(recorded["source_ids"], recorded["target_ids"], strict=True))
    assert task.densities == recorded["density_override"]
    for model, quat in task.quats.items():
        plain = model.removeprefix("baked_").removesuffix("_v2")
        np.testing.assert_allclose(quat, recorded["quats"][plain], atol=1e-8)


def test_robot_places_are_the_originals() -> None:
    recorded = spec_tables()["families"]["drawer"]["prepackaged_choice"]
    assert [place.overlay for place in robot_places().values()] == [f"real_inpainting/{p['overlay']}" for p in recorded]
    for place, other in zip(robot_places().values(), recorded, strict=True):
        assert list(place.xy) == other["xy"]
        np.testing.assert_allclose(place.quat, other["quat"], atol=1e-7)


def test_every_task_and_environment_of_the_original_is_there() -> None:
    tables = spec_tables()
    assert set(task_names()) == set(tables["prepackaged_tasks"])
    for name, recorded in tables["prepackaged_tasks"].items():
        task = load_task(name)
        assert "prepackaged" in task.settings
        assert task.max_steps == recorded["max_episode_steps"]
    built = {env for name in task_names() for env in load_task(name).envs}
    assert built == set(tables["registered_envs"])


def test_distractor_sets_and_targets_are_the_originals() -> None:
    recorded = spec_tables()
    can, things = load_task("google_robot_pick_coke_can"), load_task("google_robot_pick_object")
    assert can.family == things.family == "grasp"
    assert {name: list(models) for name, models in can.distractor_sets.items()} == recorded["distractor_sets"]
    assert list(things.targets) == recorded["registered_envs"]["GraspSingleRandomObjectInScene-v0"]["model_ids"]


@pytest.mark.parametrize(
    ("name", "env"),
    [
        ("widowx_carrot_on_plate", "PutCarrotOnPlateInScene-v0"),
        ("widowx_spoon_on_towel", "PutSpoonOnTableClothInScene-v0"),
        ("widowx_stack_cube", "StackGreenCubeOnYellowCubeBakedTexInScene-v0"),
        ("widowx_put_eggplant_in_basket", "PutEggplantInBasketScene-v0"),
    ],
)
def test_placements_on_the_table_are_the_originals(name: str, env: str) -> None:
    task = load_task(name)
    assert task.family == "put_on"
    recorded = spec_tables()["families"]["bridge"]["tasks"][env]
    assert (task.source, task.goal, task.instruction) == (recorded["source"], recorded["target"], recorded["instruction"])
    assert (task.completely_on_goal, task.height_margin) == (recorded["require_completely_on_target"], recorded["z_offset"])
    episodes = recorded["episodes"]
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
    assert not counts(("google_robot_pick_coke_can", "variant_aggregation", "standing/camera=alt_2"))
    assert counts(("google_robot_pick_coke_can", "variant_aggregation", "standing/base"))


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
