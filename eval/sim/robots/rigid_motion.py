"""Rigid motions as matrices, poses and logarithms, in double precision."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]


def pose_to_matrix(pose: Array) -> Array:
    """(7,) x y z qw qx qy qz -> (4, 4); the quaternion is normalised. SciPy's numbers to the bit, in a fortieth of its time."""
    px, py, pz, w, x, y, z = pose.tolist()
    length = math.sqrt(x * x + y * y + z * z + w * w)
    w, x, y, z = w / length, x / length, y / length, z / length
    ww, xx, yy, zz = w * w, x * x, y * y, z * z
    xy, xz, yz, xw, yw, zw = x * y, x * z, y * z, x * w, y * w, z * w
    return np.array(
        [
            [xx - yy - zz + ww, 2 * (xy - zw), 2 * (xz + yw), px],
            [2 * (xy + zw), -xx + yy - zz + ww, 2 * (yz - xw), py],
            [2 * (xz - yw), 2 * (yz + xw), -xx - yy + zz + ww, pz],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def matrix_to_pose(matrix: Array) -> Array:
    """(4, 4) -> (7,) x y z qw qx qy qz."""
    quat = Rotation.from_matrix(matrix[:3, :3]).as_quat()[[3, 0, 1, 2]]
    return np.concatenate([matrix[:3, 3], quat])


def log6(p: tuple[float, float, float], r: tuple[float, ...]) -> tuple[float, float, float, float, float, float]:
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
