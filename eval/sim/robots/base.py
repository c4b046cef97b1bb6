"""The interface of controllers, and the pose arithmetic that both share."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import sapien
from numpy.typing import NDArray


class Controller(Protocol):
    """Turns one action into joint drive targets for every substep of a control step."""

    def reset(self) -> None:
        """Forget the past; the robot has just been put into its start state. Writes nothing into the simulation."""

    def set_action(self, action: NDArray[np.float64]) -> None:
        """Take a (7,) action at the beginning of a control step."""

    def before_substep(self, k: int) -> None:
        """Write the drive targets of substep k = 0, 1, ..."""

    def gripper_opening(self) -> float:
        """0 closed .. 1 open."""


def rotation_quaternion(rotvec: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) rad -> (4,) w x y z. SciPy's numbers to the bit, in a fiftieth of its time."""
    x, y, z = rotvec.tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    square = angle * angle
    scale = 0.5 - square / 48 + square * square / 3840 if angle <= 1e-3 else math.sin(angle / 2) / angle
    return np.array([math.cos(angle / 2), scale * x, scale * y, scale * z])


def pose_array(pose: sapien.Pose) -> NDArray[np.float64]:
    """(7,) x y z qw qx qy qz of a SAPIEN pose (float32 inside)."""
    return np.concatenate([pose.p, pose.q]).astype(np.float64)
