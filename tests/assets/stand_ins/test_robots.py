"""The robots have the true kinematics, move freely, and their fingers can hold a can."""

import numpy as np
import pytest
import sapien

from eval.assets.resolver import Assets
from eval.sim.robots.articulation import load_robot
from eval.sim.robots.geometry import robot_geometry
from eval.sim.robots.kinematics import KinematicModel
from eval.sim.robots.rigid_motion import pose_to_matrix
from task_configs import robots

ASSETS = Assets([])


def load(family, version=""):
    scene = sapien.Scene([sapien.physx.PhysxCpuSystem()])
    return scene, load_robot(scene, ASSETS.robot_urdf(family, version), robot_geometry(family), {}, False)


@pytest.mark.parametrize("family", ["google_robot", "widowx"])
def test_links_stand_where_the_true_robots_links_stand(family):
    _scene, robot = load(family)
    geometry = robot_geometry(family)
    model = KinematicModel(geometry)
    rng = np.random.default_rng(0)
    for _ in range(10):
        qpos = rng.uniform(robot.lower, robot.upper)
        robot.set_state(qpos)
        for name, pose in zip(geometry.links, model.link_poses(qpos), strict=True):
            actual = robot.links[name].entity_pose
            np.testing.assert_allclose(actual.to_transformation_matrix(), pose_to_matrix(pose), atol=5e-5, err_msg=name)


def test_every_colour_version_of_the_google_robot_loads():
    for version in ("recolor_tabletop_visual_matching_1", "recolor_cabinet_visual_matching_1", "recolor_sim"):
        assert ASSETS.robot_urdf("google_robot", version) != ASSETS.robot_urdf("google_robot", "")


def test_google_fingers_close_on_a_can_and_open_again():
    scene, robot = load("google_robot")
    left, right = robot.links["link_finger_tip_left"], robot.links["link_finger_tip_right"]
    gaps = []
    for angle in (0.0, 0.4, 0.8, 1.2):
        qpos = np.zeros(len(robot.joints))
        qpos[[robot.index("joint_finger_left"), robot.index("joint_finger_right")]] = angle
        robot.set_state(qpos)
        gaps.append(float(np.linalg.norm(left.entity_pose.p - right.entity_pose.p)))
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.0669 > gaps[-1]
    assert scene is not None


@pytest.mark.parametrize("uid", ["google_robot_static", "widowx"])
def test_the_arm_at_its_start_is_not_jammed_by_its_own_links(uid):
    config = robots()[uid]
    scene, robot = load(config.family)
    robot.set_state(config.qpos)
    scene.step()
    touching = [
        {body.entity.name for body in contact.bodies}
        for contact in scene.get_contacts()
        if any(np.linalg.norm(point.impulse) > 0 for point in contact.points)
    ]
    # the WidowX's fingers run in the bar; the world switches contact between them off (docs/simpler.md 4)
    assert [pair for pair in touching if "gripper_bar_link" not in pair] == []
