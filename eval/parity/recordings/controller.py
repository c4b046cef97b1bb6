"""Kinematics and inverse kinematics against ``controller.npz``."""

from __future__ import annotations

import numpy as np
import sapien
from numpy.typing import NDArray

from eval.assets.resolver import Assets
from eval.parity.recordings.files import Recording
from eval.parity.report import Check
from eval.sim.physics import CONTROL, new_scene, new_system
from eval.sim.robots.articulation import link_materials, load_robot
from eval.sim.robots.geometry import robot_geometry
from eval.sim.robots.kinematics import KinematicModel
from task_configs import robots

FAMILIES = {"google": ("google_robot", "google_robot_static"), "widowx": ("widowx", "widowx")}


def pose_difference(a: NDArray[np.floating], b: NDArray[np.floating]) -> tuple[float, float]:
    """Largest distance [m] and quaternion component difference (sign free) of poses (..., 7)."""
    sign = np.where(np.sum(a[..., 3:] * b[..., 3:], axis=-1, keepdims=True) < 0, -1.0, 1.0)
    return float(np.abs(a[..., :3] - b[..., :3]).max()), float(np.abs(a[..., 3:] * sign - b[..., 3:]).max())


def controller_checks(recording: Recording, assets: Assets) -> list[Check]:
    """FK of the kinematic model and of the simulator, IK flags and joints, for each robot recorded."""
    checks: list[Check] = []
    for prefix, (family, uid) in FAMILIES.items():
        arrays = {name[len(prefix) + 1 :]: v for name, v in recording.arrays.items() if name.startswith(prefix + "/")}
        if "fk.qpos" in arrays:
            checks += _fk(prefix, arrays, family, uid, recording, assets)
        if "ik.init" in arrays:
            checks += _ik(prefix, arrays, family)
    return checks


def _fk(
    prefix: str,
    arrays: dict[str, NDArray[np.float64]],
    family: str,
    uid: str,
    recording: Recording,
    assets: Assets,
) -> list[Check]:
    geometry = robot_geometry(family)
    model = KinematicModel(geometry)
    names = list(recording.facts[prefix]["link_names"])
    order = [geometry.links.index(name) for name in names]
    system = new_system(1 / 500, CONTROL[family], 0.02)
    scene = new_scene(system, False)  # kept: the robot lives as long as its scene
    robot = load_robot(scene, assets.robot_urdf(family, ""), geometry, link_materials(robots()[uid]), False)
    base = np.asarray(recording.facts[prefix]["base_pose"], dtype=np.float64)
    robot.set_root(sapien.Pose(base[:3], base[3:]))
    own, simulated = [], []
    for qpos in arrays["fk.qpos"]:
        own.append(model.link_poses(qpos)[order])
        robot.set_state(qpos)
        poses = [robot.links[name].entity_pose for name in names]
        simulated.append([np.concatenate([pose.p, pose.q]) for pose in poses])
    n = len(own)
    meters, quat = pose_difference(np.array(own), arrays["fk.link_pose_base"])
    world_m, world_q = pose_difference(np.array(simulated), arrays["fk.link_pose_world"])
    key = f"controller/{prefix}"
    return [
        Check(key, "kinematic model: link position", meters, 1e-5, "m", n),
        Check(key, "kinematic model: link rotation", quat, 1e-5, "quaternion", n),
        Check(key, "simulator: link position", world_m, 5e-5, "m", n),
        Check(key, "simulator: link rotation", world_q, 5e-5, "quaternion", n),
    ]


def _ik(prefix: str, arrays: dict[str, NDArray[np.float64]], family: str) -> list[Check]:
    model = KinematicModel(robot_geometry(family))
    misses, worst, both = 0, 0.0, 0
    for start, target, ok, recorded in zip(
        arrays["ik.init"], arrays["ik.target"], arrays["ik.ok"], arrays["ik.result"], strict=True
    ):
        result = model.inverse(target, start.astype(np.float64))
        misses += int(result.success != bool(ok))
        if result.success and ok:
            both += 1
            worst = max(worst, float(np.abs(result.qpos - recorded).max()))
    n = len(arrays["ik.ok"])
    key = f"controller/{prefix}"
    return [
        Check(key, "IK: success flags that differ", misses / n, 0.01, "share", n),
        Check(key, "IK: joints where both succeed", worst, 1e-4, "rad", both),
    ]
