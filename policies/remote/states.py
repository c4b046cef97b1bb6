"""What the robot feels of itself, in the layouts that servers take."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from policies.base import Proprio
from policies.remote.conventions import StateLayout

BRIDGE_DOWN = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""Orientation of a WidowX's tool that points down, from which Bridge's data counts rotations."""

UPRIGHT = 1e-6


def state_vector(layout: StateLayout, proprio: Proprio) -> NDArray[np.float32]:
    """(7,) or (8,): position [m] and orientation of the tool in the frame of the robot's base, and the gripper 0..1.

    ``pose_wxyz_opening``, ``pose_xyzw_opening`` and ``pose_xyzw_closing`` have a quaternion in that order, and the gripper 1
    open or 1 closed. ``bridge_rpy_opening`` has roll, pitch and yaw [rad] relative to a tool that points down; with ``pad``
    a zero stands before the gripper.
    """
    position, wxyz, opening = proprio.tcp_position, proprio.tcp_quaternion, proprio.gripper_opening
    xyzw = np.roll(wxyz, -1)
    parts: list[ArrayLike]
    if layout == "pose_wxyz_opening":
        parts = [position, wxyz, [opening]]
    elif layout == "pose_xyzw_opening":
        parts = [position, xyzw, [opening]]
    elif layout == "pose_xyzw_closing":
        parts = [position, xyzw, [1.0 - opening]]
    else:
        turned = Rotation.from_quat(xyzw).as_matrix() @ BRIDGE_DOWN.T
        pad = [0.0] if layout == "bridge_rpy_pad_opening" else []
        parts = [position, _roll_pitch_yaw(turned), pad, [opening]]
    return np.concatenate(parts).astype(np.float32)


def _roll_pitch_yaw(matrix: NDArray[np.float64]) -> list[float]:
    """rad, about fixed axes; where pitch is a right angle the yaw is zero."""
    level = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    pitch = np.arctan2(-matrix[2, 0], level)
    if level > UPRIGHT:
        return [np.arctan2(matrix[2, 1], matrix[2, 2]), pitch, np.arctan2(matrix[1, 0], matrix[0, 0])]
    return [np.arctan2(-matrix[1, 2], matrix[1, 1]), pitch, 0.0]
