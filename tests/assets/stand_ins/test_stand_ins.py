"""The stand-ins have the true kinematics and sizes, and can be held by the simulated grippers."""

import cv2
import numpy as np
import pytest
import sapien
import trimesh

from eval.assets.resolver import Assets
from eval.assets.stand_ins.objects import MODELS
from eval.assets.stand_ins.photos import google_camera
from eval.assets.stand_ins.stages import STAGES
from eval.sim.hulls import convex_pieces
from eval.sim.robots.articulation import load_robot
from eval.sim.robots.geometry import robot_geometry
from eval.sim.robots.kinematics import KinematicModel, pose_to_matrix
from task_configs import robots, scenes

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
            found = robot.links[name].entity_pose
            np.testing.assert_allclose(found.to_transformation_matrix(), pose_to_matrix(pose), atol=5e-5, err_msg=name)


def test_every_colour_version_of_the_google_robot_loads():
    for version in ("recolor_tabletop_visual_matching_1", "recolor_cabinet_visual_matching_1", "recolor_sim"):
        assert ASSETS.robot_urdf("google_robot", version) != ASSETS.robot_urdf("google_robot", "")


@pytest.mark.parametrize("model", sorted(MODELS))
def test_picture_and_collision_of_a_model_fill_the_same_space(model):
    seen = trimesh.load(ASSETS.visual(model), force="mesh").bounds
    pieces = convex_pieces(ASSETS.collision(model))
    felt = np.array([np.min([p.min(axis=0) for p in pieces], axis=0), np.max([p.max(axis=0) for p in pieces], axis=0)])
    np.testing.assert_allclose(seen, felt, atol=0.012)
    assert all(len(piece) <= 255 for piece in pieces)  # PhysX's limit for a hull


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("opened_coke_can", (0.0669, 0.1228, 0.0663)),
        ("baked_opened_pepsi_can_v2", (0.0668, 0.1242, 0.0668)),
        ("bridge_plate_objaverse_larger", (0.11, 0.11, 0.006)),
        ("bridge_carrot_generated_modified", (0.1183, 0.0322, 0.0412)),
        ("baked_green_cube_3cm", (0.03, 0.03, 0.03)),
    ],
)
def test_models_have_the_true_size(model, size):
    extents = trimesh.load(ASSETS.visual(model), force="mesh").extents
    np.testing.assert_allclose(extents, size, atol=0.0085 if "carrot" in model else 0.001)


@pytest.mark.parametrize("name", sorted(set(STAGES) & set(scenes())))
def test_the_table_top_lies_where_the_world_puts_objects(name):
    config = scenes()[name]
    mesh = trimesh.load(ASSETS.path(f"data/{config.file}"), force="mesh")
    place = sapien.Pose([-v for v in config.offset]) * sapien.Pose(config.local_position, config.local_quat)
    vertices = mesh.vertices @ place.to_transformation_matrix()[:3, :3].T + place.p
    table = vertices[(np.abs(vertices[:, 0]) < 0.69) & (np.abs(vertices[:, 1]) < 0.9)]
    height = 0.85 if name == "bridge_table_1_v2" else 0.87  # the sink stands lower
    assert table[:, 2].max() == pytest.approx(height, abs=1e-3)
    low, high = table[:, :2].min(axis=0), table[:, :2].max(axis=0)
    assert np.all(low < [-0.35, -0.15])  # every place where a task puts something
    assert np.all(high > [-0.1, 0.42])


def test_the_photo_shows_the_table_below_the_can():
    camera = google_camera()
    local = camera.rotation.T @ (np.array([-0.235, 0.2, 0.87]) - camera.position)
    u, v = camera.focal * local[:2] / local[2] + camera.center
    assert 0 < u < 320
    assert 0 < v < 256
    picture = cv2.imread(str(ASSETS.path("data/real_inpainting/google_coke_can_real_eval_1.png")))
    assert picture.shape == (256, 320, 3)
    around = picture[int(v) - 4 : int(v) + 5, int(u) - 4 : int(u) + 5].reshape(-1, 3).mean(axis=0)
    wall = picture[:10].reshape(-1, 3).mean(axis=0)
    assert around.mean() > wall.mean() + 20  # a light table before a darker wall


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
    # the WidowX's fingers run in the bar; the world switches contact between them off (spec 4)
    assert [pair for pair in touching if "gripper_bar_link" not in pair] == []
