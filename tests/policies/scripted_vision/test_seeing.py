"""Where the policy takes things to be, against what the original recorded: its cameras, its images, and where things lay."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from recordings import golden
from scipy.spatial.transform import Rotation

from eval.episode import EpisodeSpec
from eval.parity.recordings.recorded_images import recorded_policy_image
from eval.plan.suites import make_plan
from policies.scripted_vision.camera import CAMERAS, Camera
from policies.scripted_vision.jobs import JOBS
from policies.scripted_vision.seeing import find

FRAMES = json.loads(golden("images/frames.json").read_text())
COKE = "google_robot_pick_coke_can"


def planned(task: str, setting: str, variant: str = "") -> EpisodeSpec:
    return next(spec for spec in make_plan(tasks=[task], setting=setting) if variant in spec.variant)


def in_world(spec: EpisodeSpec, camera: Camera) -> NDArray[np.float64]:
    """(4, 4) extrinsic matrix, world to camera."""
    base = np.eye(4)
    base[:3, :3] = Rotation.from_quat(np.roll(spec.robot_quat, -1)).as_matrix()
    base[:3, 3] = [*spec.robot_xy, spec.robot_height]
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = camera.axes, camera.position
    return np.asarray(np.linalg.inv(base @ pose), dtype=np.float64)


@pytest.mark.parametrize(
    ("key", "task", "setting", "variant"),
    [
        ("vm_coke_horizontal", COKE, "visual_matching", ""),
        ("va_coke_camera1", COKE, "variant_aggregation", "alt_1"),  # the head is tilted otherwise
        ("va_coke_camera2", COKE, "variant_aggregation", "alt_2"),
        ("vm_bridge_carrot_ep10", "widowx_carrot_on_plate", "visual_matching", ""),
        ("vm_bridge_eggplant_ep20", "widowx_put_eggplant_in_basket", "visual_matching", ""),
    ],
)
def test_cameras_are_the_recorded_ones(key: str, task: str, setting: str, variant: str) -> None:
    spec, recorded = planned(task, setting, variant), FRAMES[key]["camera"]
    camera = CAMERAS[JOBS[task].camera](np.array(spec.robot_qpos))
    assert in_world(spec, camera) == pytest.approx(np.array(recorded["extrinsic_cv"]), abs=1e-5)
    matrix = [[camera.focal, 0, camera.centre[0]], [0, camera.focal, camera.centre[1]], [0, 0, 1]]
    assert np.array(recorded["intrinsic_cv"]) == pytest.approx(np.array(matrix), abs=1e-4)
    assert [camera.width, camera.height] == FRAMES[key]["size_wh"]


def test_a_point_of_a_plane_is_found_from_its_pixel() -> None:
    camera = CAMERAS["widowx"](np.zeros(8))
    point = np.array([0.31, -0.08, 0.02])
    assert camera.on_plane(camera.pixel(point)[None], 0.02)[0] == pytest.approx(point[:2], abs=1e-9)


FOUND = [
    # key, task, what is taken, mm within which its middle is found: only one side of it, or a part of it, has the colour
    ("vm_bridge_carrot_ep10", "widowx_carrot_on_plate", "bridge_carrot_generated_modified", 13),
    ("vm_bridge_spoon_ep05", "widowx_spoon_on_towel", "bridge_spoon_generated_modified", 27),
    ("vm_bridge_stack_ep15", "widowx_stack_cube", "baked_green_cube_3cm", 3),
    ("vm_bridge_eggplant_ep20", "widowx_put_eggplant_in_basket", "eggplant", 7),
    ("vm_coke_horizontal", COKE, "opened_coke_can", 15),
    ("vm_coke_horizontal_cabinet1", COKE, "opened_coke_can", 15),
    ("vm_coke_standing_tabletop1", COKE, "opened_coke_can", 27),  # it is projected almost as low as a lying one
    ("vm_coke_vertical_tabletop2", COKE, "opened_coke_can", 15),
    ("va_coke_camera1", COKE, "opened_coke_can", 27),
    ("va_coke_distractor_more", COKE, "opened_coke_can", 15),
    ("pre_pick_coke_can_s3", COKE, "opened_coke_can", 15),
]


@pytest.mark.parametrize(("key", "task", "name", "within"), FOUND, ids=[case[0] for case in FOUND])
def test_things_are_found_in_recorded_images_where_they_lay(bulk: Path, key: str, task: str, name: str, within: float) -> None:
    state = json.loads((bulk / "images" / "frames" / key / "f0.json").read_text())
    image = recorded_policy_image(bulk / "images", bulk / "images" / "frames" / key / "f0.json")
    robot = next(item for item in state["articulations"] if item["is_robot"])
    base = Rotation.from_quat(np.roll(robot["root_pose"]["q_wxyz"], -1))
    actor = next(item for item in state["actors"] if item["name"] == name)
    lies = base.inv().apply(np.subtract(actor["pose"]["p"], robot["root_pose"]["p"]))
    joints = dict(zip(robot["joint_names"], robot["qpos"], strict=True))
    head = np.array([0.0] * 9 + [joints.get("joint_head_pan", 0.0), joints.get("joint_head_tilt", 0.0)])
    job = JOBS[task]
    seen = find(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), job.thing.colours, CAMERAS[job.camera](head), job.thing.middle)
    assert seen is not None
    assert 1000 * np.linalg.norm(seen.centre - lies[:2]) < within


@pytest.mark.parametrize("task", sorted(JOBS))
def test_nothing_is_found_in_an_empty_image(task: str) -> None:
    job = JOBS[task]
    for colour in ((90, 60, 40), (0, 0, 0), (255, 255, 255)):  # wood, black, white
        hsv = cv2.cvtColor(np.full((480, 640, 3), colour, np.uint8), cv2.COLOR_RGB2HSV)
        assert find(hsv, job.thing.colours, CAMERAS[job.camera](np.zeros(11)), job.thing.middle) is None
