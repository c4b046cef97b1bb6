"""What a policy's seven numbers mean, and how they become what our robots take."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from policies.base import RobotName
from policies.sticky_gripper import Gripper

CONVENTIONS = ("command", "open_x")
"""``command``: as our own datasets have it and the controllers take it (rotation vector; the gripper's command).
``open_x``: as the public copies of Bridge and Fractal have it: roll, pitch and yaw, and how far the gripper shall be open
(0 .. 1), of which the command is made as SimplerEnv's policies make it."""


def reader(convention: str, robot: RobotName) -> Callable[[ArrayLike], NDArray[np.float64]]:
    """For one episode: from a policy's (7,) to the (7,) of :class:`policies.base.Action`, in the order of the steps."""
    if convention == "command":
        return lambda action: np.asarray(action, np.float64)
    gripper = Gripper(robot)

    def read(action: ArrayLike) -> NDArray[np.float64]:
        from scipy.spatial.transform import Rotation

        numbers = np.asarray(action, np.float64)
        if numbers.shape != (7,):
            raise ValueError(f"an action must be 7 numbers, not of shape {numbers.shape}")
        turn = Rotation.from_euler("xyz", numbers[3:6]).as_rotvec()
        return np.array([*numbers[:3], *turn, gripper.command(float(numbers[6]))])

    return read
