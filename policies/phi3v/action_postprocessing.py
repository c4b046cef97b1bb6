"""From seven values of the model to the seven numbers that a robot's controller takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.base import RobotName

Floats = NDArray[np.float64]

STICKY_STEPS = 15
"""So long a Google Robot's gripper goes on with a change once begun."""


@dataclass
class Gripper:
    """The gripper of one episode; what it remembers matters for the Google Robot alone."""

    robot: RobotName
    previous: float | None = None
    sticky: bool = False
    held: float = 0.0
    """Command that is repeated while sticky."""
    repeats: int = 0

    def command(self, opening: float) -> float:
        """Controller command for the desired ``opening`` (0 closed .. 1 open).

        WidowX: absolute, by threshold. Google Robot: a change; one that is big enough is repeated for 15 steps, and what
        the policy asks for meanwhile is ignored.
        """
        if self.robot == "widowx":
            return 1.0 if opening > 0.5 else -1.0
        change = 0.0 if self.previous is None else self.previous - opening
        self.previous = opening
        if abs(change) > 0.5 and not self.sticky:
            self.sticky, self.held = True, change
        if not self.sticky:
            return change
        self.repeats += 1
        command = self.held
        if self.repeats == STICKY_STEPS:
            self.sticky, self.held, self.repeats = False, 0.0, 0
        return command


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
