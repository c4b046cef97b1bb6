"""From seven values of the model to the seven numbers that a robot's controller takes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from policies.sticky_gripper import Gripper as Gripper

Floats = NDArray[np.float64]


def controller_command(values: Floats, gripper: Gripper, scale: float = 1.0) -> Floats:
    """(7,) translation [m], roll pitch yaw [rad], gripper opening -> (7,) as in :class:`policies.base.Action`.

    ``scale`` multiplies translation and rotation vector.
    """
    motion = np.concatenate([values[:3], rotation_vector(values[3], values[4], values[5])]) * scale
    return np.append(motion, gripper.command(float(values[6])))


def rotation_vector(roll: float, pitch: float, yaw: float) -> Floats:
    """(3,) axis times angle of the turn Rz(yaw) Ry(pitch) Rx(roll).

    The quaternion keeps the sign that the half angles give it, so turns of more than pi are possible.
    """
    cr, sr = math.cos(roll / 2), math.sin(roll / 2)
    cp, sp = math.cos(pitch / 2), math.sin(pitch / 2)
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    w = cr * cp * cy + sr * sp * sy
    axis = np.array([sr * cp * cy - cr * sp * sy, cr * sp * cy + sr * cp * sy, cr * cp * sy - sr * sp * cy])
    length = float(np.linalg.norm(axis))
    if length < 3 * np.finfo(np.float64).eps:  # no turn: an axis of rounding noise has no meaning
        return np.zeros(3)
    return axis * (2 * math.acos(max(-1.0, min(1.0, w))) / length)
