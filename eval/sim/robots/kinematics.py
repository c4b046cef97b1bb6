"""Kinematic model and inverse kinematics of the original controllers (docs/simpler.md 5.4).

SAPIEN 2.2.2 does not solve on the URDF: it exports the loaded articulation with six significant digits and gives that to
Pinocchio. The joint frames in ``task_configs/robots`` are these rounded numbers, so that joints agree to a few 1e-6 rad.
SAPIEN 3's own solver has another loop and ends up to 7e-5 rad away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv
from scipy.spatial.transform import Rotation

from eval.sim.robots.geometry import RobotGeometry

Array = NDArray[np.float64]

MAX_ITERATIONS = 100
TOLERANCE = 1e-4
STEP = 0.1
DAMPING = 1e-6 * np.eye(6)


def _transform(xyz: Sequence[float], rpy: Sequence[float]) -> Array:
    """(4, 4) translation followed by Rz(yaw) Ry(pitch) Rx(roll)."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", rpy).as_matrix()
    matrix[:3, 3] = xyz
    return matrix


def pose_to_matrix(pose: Array) -> Array:
    """(7,) x y z qw qx qy qz -> (4, 4); the quaternion is normalised."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(np.roll(pose[3:], -1)).as_matrix()
    matrix[:3, 3] = pose[:3]
    return matrix


def matrix_to_pose(matrix: Array) -> Array:
    """(4, 4) -> (7,) x y z qw qx qy qz."""
    quat = Rotation.from_matrix(matrix[:3, :3]).as_quat()[[3, 0, 1, 2]]
    return np.concatenate([matrix[:3, 3], quat])


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
        self._tool_offset = before
        self._constants = [tuple(map(float, c[:3, :4].ravel())) for c in constants]

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
        rotation, position, _, _ = self._forward([float(qpos[i]) for i in self.chain])
        joint_frame = np.eye(4)
        joint_frame[:3, :3] = np.reshape(rotation, (3, 3))
        joint_frame[:3, 3] = position
        return matrix_to_pose(joint_frame @ self._tool_offset)

    def _forward(
        self, angles: list[float]
    ) -> tuple[list[float], list[float], list[tuple[float, float, float]], list[tuple[float, float, float]]]:
        """Frame of the last moving joint and, per joint, axis and position in the base frame.

        Plain floats: on 3x3 blocks they are several times faster than numpy calls, and this is the inner loop of the IK.
        """
        r0, r1, r2, r3, r4, r5, r6, r7, r8 = 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0
        x = y = z = 0.0
        axes, positions = [], []
        for angle, (a0, a1, a2, ax, b0, b1, b2, ay, c0, c1, c2, az) in zip(angles, self._constants, strict=True):
            x, y, z = (
                x + r0 * ax + r1 * ay + r2 * az,
                y + r3 * ax + r4 * ay + r5 * az,
                z + r6 * ax + r7 * ay + r8 * az,
            )
            u0, u1, u2 = r0 * a0 + r1 * b0 + r2 * c0, r3 * a0 + r4 * b0 + r5 * c0, r6 * a0 + r7 * b0 + r8 * c0
            v0, v1, v2 = r0 * a1 + r1 * b1 + r2 * c1, r3 * a1 + r4 * b1 + r5 * c1, r6 * a1 + r7 * b1 + r8 * c1
            w0, w1, w2 = r0 * a2 + r1 * b2 + r2 * c2, r3 * a2 + r4 * b2 + r5 * c2, r6 * a2 + r7 * b2 + r8 * c2
            c, s = math.cos(angle), math.sin(angle)
            r0, r3, r6 = u0, u1, u2
            r1, r4, r7 = c * v0 + s * w0, c * v1 + s * w1, c * v2 + s * w2
            r2, r5, r8 = c * w0 - s * v0, c * w1 - s * v1, c * w2 - s * v2
            axes.append((u0, u1, u2))
            positions.append((x, y, z))
        return [r0, r1, r2, r3, r4, r5, r6, r7, r8], [x, y, z], axes, positions

    def inverse(self, target: Array, start: Array) -> IkResult:
        """Closed-loop IK of the original (docs/simpler.md 5.4; limits are ignored, Q30).

        target: (7,) tool pose in the base frame; start: (n,) rad, sensed joints.
        Success always ends with an error between 9e-5 and 1e-4: the result is never exact.
        """
        goal = pose_to_matrix(target) @ np.linalg.inv(self._tool_offset)
        d0, d1, d2, d3, d4, d5, d6, d7, d8 = map(float, goal[:3, :3].ravel())
        dx, dy, dz = map(float, goal[:3, 3])
        angles = [float(start[i]) for i in self.chain]
        for iteration in range(MAX_ITERATIONS + 1):
            (r0, r1, r2, r3, r4, r5, r6, r7, r8), (x, y, z), axes, positions = self._forward(angles)
            ex, ey, ez = x - dx, y - dy, z - dz
            error = _log6(
                (d0 * ex + d3 * ey + d6 * ez, d1 * ex + d4 * ey + d7 * ez, d2 * ex + d5 * ey + d8 * ez),
                (
                    d0 * r0 + d3 * r3 + d6 * r6, d0 * r1 + d3 * r4 + d6 * r7, d0 * r2 + d3 * r5 + d6 * r8,
                    d1 * r0 + d4 * r3 + d7 * r6, d1 * r1 + d4 * r4 + d7 * r7, d1 * r2 + d4 * r5 + d7 * r8,
                    d2 * r0 + d5 * r3 + d8 * r6, d2 * r1 + d5 * r4 + d8 * r7, d2 * r2 + d5 * r5 + d8 * r8,
                ),
            )  # fmt: skip
            if math.sqrt(sum(e * e for e in error)) < TOLERANCE:
                qpos = np.array(start, dtype=np.float64)
                qpos[self.chain] = angles
                return IkResult(qpos, True)
            if iteration == MAX_ITERATIONS:
                break
            columns = []
            for (a, b, c), (px, py, pz) in zip(axes, positions, strict=True):
                hx, hy, hz = x - px, y - py, z - pz
                lx, ly, lz = b * hz - c * hy, c * hx - a * hz, a * hy - b * hx
                columns.append(
                    (
                        r0 * lx + r3 * ly + r6 * lz, r1 * lx + r4 * ly + r7 * lz, r2 * lx + r5 * ly + r8 * lz,
                        r0 * a + r3 * b + r6 * c, r1 * a + r4 * b + r7 * c, r2 * a + r5 * b + r8 * c,
                    )
                )  # fmt: skip
            transposed = np.array(columns)
            _, solution, _ = dposv(transposed.T @ transposed + DAMPING, error)
            step = transposed @ solution
            angles = [angle - STEP * float(v) for angle, v in zip(angles, step, strict=True)]
        return IkResult(np.array(start, dtype=np.float64), False)


def _log6(p: tuple[float, float, float], r: tuple[float, ...]) -> tuple[float, float, float, float, float, float]:
    """Logarithm of a rigid motion, linear part first (Pinocchio's convention)."""
    cos = min(max((r[0] + r[4] + r[8] - 1.0) / 2.0, -1.0), 1.0)
    angle = math.acos(cos)
    vx, vy, vz = r[7] - r[5], r[2] - r[6], r[3] - r[1]
    if angle < 1e-3:
        # acos loses half of its digits near 0, the sine does not
        sine = 0.5 * math.sqrt(vx * vx + vy * vy + vz * vz)
        angle = math.asin(min(sine, 1.0))
        scale, alpha, beta = 0.5 * (1.0 + angle * angle / 6.0), 1.0 - angle * angle / 12.0, 1.0 / 12.0
    elif angle > math.pi - 1e-4:
        return _log6_half_turn(p, r, angle)
    else:
        sine = math.sin(angle)
        scale = 0.5 * angle / sine
        alpha = angle * sine / (2.0 * (1.0 - math.cos(angle)))
        beta = (1.0 - alpha) / (angle * angle)
    return _assemble(p, (scale * vx, scale * vy, scale * vz), alpha, beta)


def _log6_half_turn(
    p: tuple[float, float, float], r: tuple[float, ...], angle: float
) -> tuple[float, float, float, float, float, float]:
    rotvec = Rotation.from_matrix(np.reshape(r, (3, 3))).as_rotvec()
    alpha = angle * math.sin(angle) / (2.0 * (1.0 - math.cos(angle)))
    return _assemble(p, (float(rotvec[0]), float(rotvec[1]), float(rotvec[2])), alpha, (1.0 - alpha) / (angle * angle))


def _assemble(
    p: tuple[float, float, float], w: tuple[float, float, float], alpha: float, beta: float
) -> tuple[float, float, float, float, float, float]:
    px, py, pz = p
    wx, wy, wz = w
    dot = beta * (wx * px + wy * py + wz * pz)
    return (
        alpha * px - 0.5 * (wy * pz - wz * py) + dot * wx,
        alpha * py - 0.5 * (wz * px - wx * pz) + dot * wy,
        alpha * pz - 0.5 * (wx * py - wy * px) + dot * wz,
        wx,
        wy,
        wz,
    )
