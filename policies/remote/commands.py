"""From a server's numbers to commands of the controller, an episode at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from policies.base import Proprio, RobotName
from policies.remote.conventions import Family
from policies.remote.grippers import RemoteGripper

Floats = NDArray[np.float64]


class Commands:
    """Remembers what the gripper holds and where the last absolute pose was."""

    def __init__(self, family: Family, robot: RobotName) -> None:
        self._family, self._robot = family, robot
        self._gripper = RemoteGripper(family.gripper, robot)
        self._target: tuple[Floats, Rotation] | None = None

    def command(self, values: Floats, proprio: Proprio) -> Floats:
        """(7,) as a server says it -> (7,) as in :class:`policies.base.Action`."""
        gripper = self._gripper.command(float(values[6]))
        if self._family.motion == "absolute":
            return np.append(self._change_to(values[:6], proprio), gripper)
        turn = values[3:6] if self._family.rotation == "rotation_vector" else self._rotation(values[3:6]).as_rotvec()
        return np.concatenate([values[:3], turn, [gripper]])

    def _change_to(self, pose: Floats, proprio: Proprio) -> Floats:
        """(6,) the change that leads to a pose. WidowX counts it from where the last one led to, a Google Robot from where
        its tool is.
        """
        target = pose[:3], self._rotation(pose[3:6])
        start: tuple[Any, Rotation] = proprio.tcp_position, Rotation.from_quat(np.roll(proprio.tcp_quaternion, -1))
        if self._robot == "widowx" and self._target is not None:
            start = self._target
        self._target = target
        return np.concatenate([target[0] - start[0], (target[1] * start[1].inv()).as_rotvec()])

    def _rotation(self, values: Floats) -> Rotation:
        by_vector = self._family.rotation == "rotation_vector"
        return Rotation.from_rotvec(values) if by_vector else Rotation.from_euler("xyz", values)
