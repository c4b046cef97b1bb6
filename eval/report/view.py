"""Where points of the world lie in the image of an episode's camera, computed without a simulator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.episode import EpisodeSpec, ObjectSpec, Vec3
from eval.sim.robots.geometry import robot_geometry
from eval.sim.robots.kinematics import kinematic_model
from eval.sim.robots.rigid_motion import pose_to_matrix
from eval.tasks.sampling import DROP_HEIGHT
from task_configs import robots

CLOSEST = 0.05
"""m before the camera: what is nearer has no place in the image."""


@dataclass(frozen=True)
class CameraView:
    """The policy's camera as it stands when an episode begins."""

    width: int
    height: int
    projection: NDArray[np.float64]
    """(3, 4), world position [m] to homogeneous pixel."""

    def pixel(self, point: Vec3) -> tuple[float, float] | None:
        """Column and row [pixels, from the upper left corner] of a world position; None if it lies behind the camera."""
        u, v, depth = self.projection @ np.array([*point, 1.0])
        return None if depth < CLOSEST else (float(u / depth), float(v / depth))

    def shows(self, point: Vec3) -> bool:
        """Whether a world position lies within the image."""
        pixel = self.pixel(point)
        return pixel is not None and 0 <= pixel[0] < self.width and 0 <= pixel[1] < self.height


def camera_view(spec: EpisodeSpec) -> CameraView | None:
    """The camera of an episode, by the robot's pose and start joints and ``task_configs/robots.yaml``.

    None for a robot that is not in there, or joints that are not its own.
    """
    config = robots().get(spec.robot)
    if config is None:
        return None
    geometry = robot_geometry(config.family)
    if len(spec.robot_qpos) != len(geometry.active_joints):
        return None
    camera = config.camera
    base = pose_to_matrix(np.array([*spec.robot_xy, spec.robot_height, *spec.robot_quat]))
    link = kinematic_model(config.family).link_poses(np.array(spec.robot_qpos))[geometry.links.index(camera.link)]
    pose = base @ pose_to_matrix(link) @ pose_to_matrix(np.array([*camera.position, *camera.quat]))
    # The camera looks along x with y to the left and z up; pixels count along z with x to the right and y down.
    axes = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    to_camera = np.linalg.inv(pose)[:3]
    intrinsics = np.array([[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]])
    return CameraView(camera.width, camera.height, intrinsics @ axes @ to_camera)


def resting_place(entry: ObjectSpec) -> Vec3:
    """About where an object lies once it has fallen: half its least extent above the surface below it, m."""
    return (*entry.xy, entry.z - DROP_HEIGHT + min(entry.size) / 2)
