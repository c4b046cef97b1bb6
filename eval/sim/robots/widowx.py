"""Controllers of the WidowX 250s (docs/simpler.md 5.3, 6.2)."""

from __future__ import annotations

import numpy as np
import sapien
from numpy.typing import NDArray

from eval.sim.robots.articulation import Robot
from eval.sim.robots.base import rotation_quaternion
from eval.sim.robots.kinematics import KinematicModel

Array = NDArray[np.float64]

ARM = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
FINGERS = ("left_finger", "right_finger")
FINGER_LOWER, FINGER_UPPER = 0.014, 0.038
"""m; reach of the gripper command: the limits 0.015 and 0.037 widened by 0.001."""


class WidowXController:
    """Arm: the target pose accumulates ("align2"); gripper: absolute, +1 open, -1 closed."""

    def __init__(self, robot: Robot, kinematics: KinematicModel) -> None:
        self._robot, self._kinematics = robot, kinematics
        self._arm = np.array([robot.index(name) for name in ARM])
        self._fingers = np.array([robot.index(name) for name in FINGERS])
        order = np.concatenate([self._arm, self._fingers])
        self._driven = [robot.joints[i] for i in order]
        self._lower, self._upper = robot.lower[order].astype(float), robot.upper[order].astype(float)
        self.reset()

    def reset(self) -> None:
        """The target pose becomes the present tool pose."""
        self.target_pose = self._robot.tool_pose()
        self.ik_success = True

    def aim_at(self, position: Array, quat: Array) -> None:
        """Let the next action move this target (m, w x y z, at the base) instead of the last one."""
        self.target_pose = sapien.Pose(position, quat)

    def set_action(self, action: Array) -> None:
        """Move the target pose, solve for the joints and send the drives at once; nothing happens in the substeps."""
        qpos = self._robot.qpos.astype(np.float64)
        # The sensed position; the translation acts on the target (docs/simpler.md Q28).
        pivot = self._kinematics.tool_position(qpos)
        motion = sapien.Pose(action[:3], rotation_quaternion(action[3:6]))
        self.target_pose = sapien.Pose(pivot) * motion * sapien.Pose(-pivot) * self.target_pose
        target = np.concatenate([self.target_pose.p, self.target_pose.q]).astype(np.float64)
        result = self._kinematics.inverse(target, qpos)
        self.ik_success = result.success
        self.arm_target = (result.qpos if result.success else qpos)[self._arm]
        middle, half = (FINGER_UPPER + FINGER_LOWER) / 2, (FINGER_UPPER - FINGER_LOWER) / 2
        self.gripper_target = np.full(2, middle + half * float(np.clip(action[6], -1.0, 1.0)))
        sent = np.clip(np.concatenate([self.arm_target, self.gripper_target]), self._lower, self._upper)  # docs/simpler.md Q71
        for joint, value in zip(self._driven, sent.tolist(), strict=True):
            joint.set_drive_target(value)

    def before_substep(self, k: int) -> None:
        """Nothing: the drives keep their targets."""

    def gripper_opening(self) -> float:
        """1 at 0.037 m, 0 at 0.015 m."""
        lower, upper = self._robot.lower[self._fingers], self._robot.upper[self._fingers]
        closed = float(np.mean((upper - self._robot.qpos[self._fingers]) / (upper - lower)))
        return 1.0 - max(closed, 0.0)
