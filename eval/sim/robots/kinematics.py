"""Kinematic model and inverse kinematics of the original controllers (docs/simpler.md 5.4).

SAPIEN 2.2.2 does not solve on the URDF: it exports the loaded articulation with six significant digits and gives that to
Pinocchio. The joint frames in ``task_configs/robots`` are these rounded numbers, so that joints agree to a few 1e-6 rad.
SAPIEN 3's own solver has another loop and ends up to 7e-5 rad away.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eval.sim.robots.geometry import RobotGeometry, robot_geometry
from eval.sim.robots.rigid_motion import matrix_to_pose, pose_to_matrix
from eval.sim.robots.unrolled import unroll

Array = NDArray[np.float64]


def _transform(xyz: Sequence[float], rpy: Sequence[float]) -> Array:
    """(4, 4) translation followed by Rz(yaw) Ry(pitch) Rx(roll)."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", rpy).as_matrix()
    matrix[:3, 3] = xyz
    return matrix


@dataclass(frozen=True)
class IkResult:
    """The solution, and whether they reach the target."""

    qpos: Array
    """(n,) all joints; those outside the chain unchanged. Meaningless unless ``success``."""
    success: bool


class KinematicModel:
    """Forward and inverse kinematics of one robot; n = number of active joints, L = number of links."""

    def __init__(self, geometry: RobotGeometry) -> None:
        self._geometry = geometry
        self._active = {joint.name: i for i, joint in enumerate(geometry.active_joints)}
        self._fixed_parts = [
            (_transform(j.ik_origin_xyz, j.ik_origin_rpy), _transform(j.ik_child_xyz, j.ik_child_rpy)) for j in geometry.joints
        ]
        self._build_chain()

    def _build_chain(self) -> None:
        """Merge every fixed transform on the way from the base to the tool into the moving joints' constants."""
        joint_of_child = {joint.child: i for i, joint in enumerate(self._geometry.joints)}
        path: list[int] = []
        link = self._geometry.tool_link
        while link in joint_of_child:
            path.append(joint_of_child[link])
            link = self._geometry.joints[path[-1]].parent
        before = np.eye(4)
        constants: list[Array] = []
        self.chain: list[int] = []  # active-joint indices, base to tool
        self._prismatic: list[bool] = []
        for index in reversed(path):
            joint = self._geometry.joints[index]
            origin, child = self._fixed_parts[index]
            before = before @ origin
            if joint.type != "fixed":
                constants.append(before)
                self.chain.append(self._active[joint.name])
                self._prismatic.append(joint.type == "prismatic")
                before = np.eye(4)
            before = before @ child
        if any(self._prismatic):
            raise ValueError("the arm chain is expected to hold revolute joints only")
        self._tool_offset, self._tool_offset_inverse = before, np.linalg.inv(before)
        self._functions = unroll([tuple(map(float, c[:3, :4].ravel())) for c in constants])

    def link_poses(self, qpos: Array) -> Array:
        """(n,) rad -> (L, 7) link poses in the base frame, in the order of ``geometry.links``."""
        frames: dict[str, Array] = {self._geometry.root_link: np.eye(4)}
        for joint, (origin, child) in zip(self._geometry.joints, self._fixed_parts, strict=True):
            motion = np.eye(4)
            if joint.type == "revolute":
                motion[:3, :3] = Rotation.from_rotvec([qpos[self._active[joint.name]], 0, 0]).as_matrix()
            elif joint.type == "prismatic":
                motion[0, 3] = qpos[self._active[joint.name]]
            frames[joint.child] = frames[joint.parent] @ origin @ motion @ child
        return np.stack([matrix_to_pose(frames[link]) for link in self._geometry.links])

    def tool_pose(self, qpos: Array) -> Array:
        """(n,) rad -> (7,) tool pose in the base frame."""
        return matrix_to_pose(self._tool_frame(qpos))

    def tool_position(self, qpos: Array) -> Array:
        """(n,) rad -> (3,) m, position of the tool in the base frame."""
        return self._tool_frame(qpos)[:3, 3]

    def _tool_frame(self, qpos: Array) -> Array:
        r0, r1, r2, r3, r4, r5, r6, r7, r8, x, y, z = self._functions.forward(*qpos[self.chain].tolist())
        last = np.array([[r0, r1, r2, x], [r3, r4, r5, y], [r6, r7, r8, z], [0.0, 0.0, 0.0, 1.0]])
        return np.asarray(last @ self._tool_offset)

    def inverse(self, target: Array, start: Array) -> IkResult:
        """Closed-loop IK of the original (docs/simpler.md 5.4; limits are ignored, Q30).

        target: (7,) tool pose in the base frame; start: (n,) rad, sensed joints.
        Success always ends with an error between 9e-5 and 1e-4: the result is never exact.
        """
        goal = pose_to_matrix(target) @ self._tool_offset_inverse
        qpos = np.array(start, dtype=np.float64)
        angles = self._functions.solve(*qpos[self.chain].tolist(), *goal[:3, :3].ravel().tolist(), *goal[:3, 3].tolist())
        if angles is None:
            return IkResult(qpos, False)
        qpos[self.chain] = angles
        return IkResult(qpos, True)


@functools.cache
def kinematic_model(family: str) -> KinematicModel:
    """The model of ``google_robot`` or ``widowx``, made once."""
    return KinematicModel(robot_geometry(family))
