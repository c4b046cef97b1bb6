"""The interface of controllers, and the pose arithmetic that both share."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import sapien
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation


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
    """(3,) rad -> (4,) w x y z."""
    return np.asarray(Rotation.from_rotvec(rotvec).as_quat()[[3, 0, 1, 2]])


def pose_array(pose: sapien.Pose) -> NDArray[np.float64]:
    """(7,) x y z qw qx qy qz of a SAPIEN pose (float32 inside)."""
    return np.concatenate([pose.p, pose.q]).astype(np.float64)
