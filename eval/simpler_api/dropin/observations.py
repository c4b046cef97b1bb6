"""Observations in the original's layout: nested dictionaries, poses as x y z qw qx qy qz, single precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sapien
from gymnasium import spaces
from numpy.typing import NDArray

from eval.episode import EpisodeSpec
from eval.sim.objects import body_of
from eval.sim.robots.google_robot import GoogleRobotController
from eval.sim.robots.widowx import WidowXController
from eval.sim.scene import EpisodeScene
from task_configs.schema.world import Robot as RobotConfig

Float32 = NDArray[np.float32]

OBJECT_NAMES = {"target": "obj", "source": "source_obj", "goal": "target_obj"}
"""Role of an object -> what the original calls it."""
BASE_CAMERA = "base_camera"
BASE_SIZE = 128
"""Pixels, width and height of the second camera that every observation shows; no policy looks through it."""
BASE_EYE, BASE_TARGET = (0.3, 0.0, 0.6), (-0.1, 0.0, 0.1)
BASE_NEAR, BASE_FAR = 0.01, 10.0


def pose_vector(pose: sapien.Pose) -> Float32:
    """(7,) x y z qw qx qy qz."""
    return np.concatenate([pose.p, pose.q]).astype(np.float32)


def object_pose(entity: sapien.Entity) -> sapien.Pose:
    """World pose of the frame of an object's principal axes, which the original calls the object's pose."""
    return entity.pose * body_of(entity).cmass_local_pose


def controller_observation(scene: EpisodeScene) -> dict[str, Any]:
    """What the controllers remember."""
    controller = scene.controller
    if isinstance(controller, GoogleRobotController):
        return {"gripper": {"target_qpos": np.asarray(controller.gripper_target, dtype=np.float32)}}
    if isinstance(controller, WidowXController):
        return {"arm": {"target_pose": pose_vector(controller.target_pose)}}
    return {}


def eef_pos(scene: EpisodeScene) -> NDArray[np.float64]:
    """(8,) x y z qw qx qy qz of the tool in the frame of the robot's base, qw >= 0, and how far the gripper is open (0..1).

    The original has no such entry; the forks with proprioception (allenzren/ManiSkill2_real2sim and those after it) do.
    """
    tool = scene.robot.tool_pose()
    quat = -tool.q if tool.q[0] < 0 else tool.q
    return np.concatenate([tool.p, quat, [scene.controller.gripper_opening()]]).astype(np.float64)


def agent_observation(scene: EpisodeScene, with_eef: bool = True) -> dict[str, Any]:
    """Joints, tool and gripper (unless it is to be the original's, without), the controller's state, and the base."""
    robot = scene.robot
    eef = {"eef_pos": eef_pos(scene)} if with_eef else {}
    base = pose_vector(robot.articulation.root_pose)
    controller = controller_observation(scene)
    return {"qpos": robot.qpos, "qvel": robot.qvel, **eef, "controller": controller, "base_pose": base}


def extra_observation(scene: EpisodeScene, spec: EpisodeSpec, with_objects: bool) -> dict[str, Any]:
    """Pose of the tool, with those of the task's objects if requested; nothing where there is a cabinet."""
    if spec.cabinet is not None:
        return {}
    tool = scene.robot.tool.entity_pose
    extra = {"tcp_pose": pose_vector(tool)}
    if with_objects:
        roles = ("source", "goal") if any(item.role == "source" for item in spec.objects) else ("target",)
        models = [next(item.model for item in spec.objects if item.role == role) for role in roles]
        poses = [object_pose(scene.objects[model]) for model in models]
        extra |= {f"{OBJECT_NAMES[role]}_pose": pose_vector(pose) for role, pose in zip(roles, poses, strict=True)}
        extra[f"tcp_to_{OBJECT_NAMES[roles[0]]}_pos"] = np.asarray(poses[0].p - tool.p, dtype=np.float32)
    return extra


def flat(nested: Mapping[str, Any]) -> Float32:
    """All numbers of nested dictionaries end to end."""
    parts = [flat(value) if isinstance(value, Mapping) else np.ravel(value) for value in nested.values()]
    return np.concatenate([*parts, np.empty(0)]).astype(np.float32)


def mount_base_camera(scene: sapien.Scene) -> sapien.render.RenderCameraComponent:
    """Put the second camera into the scene. SAPIEN camera frame: x forward, y left, z up."""
    camera = sapien.render.RenderCameraComponent(BASE_SIZE, BASE_SIZE)
    camera.set_fovy(np.pi / 2, compute_x=True)
    camera.near, camera.far = BASE_NEAR, BASE_FAR
    forward = np.subtract(BASE_TARGET, BASE_EYE) / np.linalg.norm(np.subtract(BASE_TARGET, BASE_EYE))
    left = np.cross([0.0, 0.0, 1.0], forward)
    left /= np.linalg.norm(left)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([forward, left, np.cross(forward, left)], axis=1)
    matrix[:3, 3] = BASE_EYE
    entity = sapien.Entity()
    entity.name = BASE_CAMERA
    entity.add_component(camera)
    entity.pose = sapien.Pose(matrix)
    scene.add_entity(entity)
    return camera


def camera_param(camera: sapien.render.RenderCameraComponent) -> dict[str, Float32]:
    """Matrices of a camera: (4, 4) world to OpenCV frame, (4, 4) OpenGL frame to world, (3, 3) intrinsic."""
    extrinsic = np.eye(4, dtype=np.float32)
    extrinsic[:3] = camera.get_extrinsic_matrix()
    return {
        "extrinsic_cv": extrinsic,
        "cam2world_gl": np.array(camera.get_model_matrix(), dtype=np.float32),
        "intrinsic_cv": np.array(camera.get_intrinsic_matrix(), dtype=np.float32),
    }


def camera_image(
    camera: sapien.render.RenderCameraComponent, segmentation: bool, rgb: NDArray[np.uint8] | None = None
) -> dict[str, NDArray[Any]]:
    """Colours, depth [m] along the viewing axis and segmentation of an image that was rendered; ``rgb`` if it is finished."""
    if rgb is None:
        rgb = np.clip(camera.get_picture("Color")[..., :3] * 255.0, 0, 255).astype(np.uint8)
    image: dict[str, NDArray[Any]] = {"rgb": rgb, "depth": -camera.get_picture("Position")[..., [2]]}
    if segmentation:
        image["Segmentation"] = camera.get_picture("Segmentation").astype(np.uint32)
        image["Segmentation"][..., 2:] = 0  # a running number of the scene: it would differ from episode to episode
    return image


def action_space() -> spaces.Box:
    """Translation, rotation vector and gripper as the original declares them; nothing is clipped to it."""
    reach = np.array([1.0] * 3 + [np.pi / 2] * 3 + [1.0], dtype=np.float32)
    return spaces.Box(-reach, reach, dtype=np.float32)


def _remembered(config: RobotConfig) -> tuple[str, str, int]:
    """The controller's part of an observation: part of the robot, name and length."""
    return ("gripper", "target_qpos", 2) if config.family == "google_robot" else ("arm", "target_pose", 7)


def flat_space(config: RobotConfig, extra: Mapping[str, int]) -> spaces.Box:
    """Space of state observations, laid end to end; ``extra``: length by name."""
    return _numbers(2 * len(config.joints) + _remembered(config)[2] + 7 + sum(extra.values()))


def state_space(config: RobotConfig, extra: Mapping[str, int]) -> spaces.Dict:
    """Space of ``agent`` and ``extra``; ``extra``: length by name."""
    joints = len(config.joints)
    part, name, size = _remembered(config)
    agent = spaces.Dict(
        {
            "qpos": _numbers(joints),
            "qvel": _numbers(joints),
            "eef_pos": spaces.Box(-np.inf, np.inf, (8,), np.float64),
            "controller": spaces.Dict({part: spaces.Dict({name: _numbers(size)})}),
            "base_pose": _numbers(7),
        }
    )
    extras = {"extra": spaces.Dict({key: _numbers(n) for key, n in extra.items()})} if extra else {}
    return spaces.Dict({"agent": agent, **extras})


def rgbd_space(config: RobotConfig, extra: Mapping[str, int], segmentation: bool) -> spaces.Dict:
    """Space of RGB-D observations."""
    sizes = {BASE_CAMERA: (BASE_SIZE, BASE_SIZE), config.camera.uid: (config.camera.height, config.camera.width)}
    matrices = {"extrinsic_cv": (4, 4), "cam2world_gl": (4, 4), "intrinsic_cv": (3, 3)}
    images: dict[str, spaces.Space[Any]] = {}
    for name, size in sizes.items():
        seen: dict[str, spaces.Space[Any]] = {
            "rgb": spaces.Box(0, 255, (*size, 3), np.uint8),
            "depth": spaces.Box(0, np.inf, (*size, 1), np.float32),
        }
        if segmentation:
            seen["Segmentation"] = spaces.Box(0, np.iinfo(np.uint32).max, (*size, 4), np.uint32)
        images[name] = spaces.Dict(seen)
    params = spaces.Dict({name: spaces.Dict({k: _numbers(*s) for k, s in matrices.items()}) for name in sizes})
    space = state_space(config, extra)
    return spaces.Dict({**space.spaces, "camera_param": params, "image": spaces.Dict(images)})


def _numbers(*shape: int) -> spaces.Box:
    return spaces.Box(-np.inf, np.inf, shape, np.float32)
