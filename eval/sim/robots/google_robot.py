"""Controllers of the Google Robot (docs/simpler.md 5.2, 6.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import sapien
from numpy.typing import NDArray

from eval.sim.robots.articulation import Robot
from eval.sim.robots.base import pose_array, rotation_quaternion
from eval.sim.robots.finger_contact import ReadVelocities, finger_touches, soften
from eval.sim.robots.kinematics import KinematicModel
from eval.sim.robots.squeeze import FingerDrive
from eval.sim.robots.trajectory import JointPath, PathPlanner

Array = NDArray[np.float64]

ARM = tuple(f"joint_{part}" for part in ("torso", "shoulder", "bicep", "elbow", "forearm", "wrist", "gripper"))
HEAD = ("joint_head_pan", "joint_head_tilt")
FINGERS = ("joint_finger_right", "joint_finger_left")
GRIPPER_REACH = float(np.float32(1.3)) + 0.01
"""rad; a full gripper command changes the target by this, and targets may overrun the limits by 0.01."""
SMALL_GRIPPER_ACTION = 1e-3
FULLY_CLOSED = 1.3


class GoogleRobotController:
    """Arm: pose relative to the sensed tool pose, jerk-limited; gripper: change of the finger target, positive closes."""

    def __init__(
        self,
        robot: Robot,
        kinematics: KinematicModel,
        timestep: float,
        substeps: int,
        contacts: Callable[[], Iterable[sapien.physx.PhysxContact]],
        finger_drive: FingerDrive,
    ) -> None:
        self._robot, self._kinematics = robot, kinematics
        self._timestep, self._substeps = timestep, substeps
        self._contacts = contacts
        self._robot_links = frozenset(robot.links)
        self._arm = np.array([robot.index(name) for name in ARM + HEAD])
        self._fingers = np.array([robot.index(name) for name in FINGERS])
        # Bound once: they are called 2,000 times a control step.
        self._send_target = [robot.joints[i].set_drive_target for i in (*self._arm, *self._fingers)]
        self._send_velocity = [robot.joints[i].set_drive_velocity_target for i in self._fingers]
        self._read_velocities = ReadVelocities([robot.joints[i] for i in self._fingers], finger_drive, timestep)
        order = np.concatenate([self._arm, self._fingers])
        self._lower, self._upper = robot.lower[order].astype(float), robot.upper[order].astype(float)
        self._arm_planner = PathPlanner(len(self._arm), 1.5, 2.0, 50.0)
        self._gripper_planner = PathPlanner(2, 1.0, 7.0, 50.0)
        self.reset()

    def reset(self) -> None:
        """Forget paths and goals; targets of the simulation stay as they are."""
        self.arm_path: JointPath | None = None
        self.gripper_path: JointPath | None = None
        self.ik_success = True
        self.gripper_target = self._robot.qpos[self._fingers].astype(float)

    def set_action(self, action: Array) -> None:
        """Plan this control step's arm and finger paths."""
        qpos = self._robot.qpos.astype(np.float64)
        arm = self._plan_arm(action[:6], qpos)
        self._plan_gripper(float(action[6]), qpos[self._fingers])
        self._sent_position = np.clip(
            np.hstack([arm.position, self._sent_fingers]), self._lower, self._upper
        ).tolist()  # PhysX 4 clamps drive targets to the joint limits, PhysX 5 does not (docs/simpler.md Q71)
        self._sent_velocity = self._sent_finger_velocity.tolist()

    def _plan_arm(self, motion: Array, qpos: Array) -> JointPath:
        sensed = pose_array(self._robot.tool_pose())
        turned = sapien.Pose(q=rotation_quaternion(motion[3:])) * sapien.Pose(q=sensed[3:])
        target = np.concatenate([(sensed[:3] + motion[:3]).astype(np.float32), turned.q]).astype(np.float64)
        result = self._kinematics.inverse(target, qpos)
        self.ik_success = result.success
        self.arm_target = (result.qpos if result.success else qpos)[self._arm]  # docs/simpler.md Q27
        if self.arm_path is None:
            start = qpos[self._arm]
            velocity = np.clip(self._robot.qvel[self._arm].astype(float), -1.5, 1.5)
        else:
            start, velocity = self.arm_path.position[-1], self.arm_path.velocity[-1]  # docs/simpler.md Q25
        self.arm_path = self._arm_planner.plan(start, velocity, self.arm_target, self._timestep, self._substeps)
        return self.arm_path

    def _plan_gripper(self, command: float, angles: Array) -> None:
        change = GRIPPER_REACH * float(np.clip(command, -1.0, 1.0))
        last = self.gripper_path
        if abs(change) >= SMALL_GRIPPER_ACTION:  # otherwise the last goal is repeated (docs/simpler.md Q31)
            sent = self.gripper_target if last is None else last.position[-1]
            lower, upper = self._lower[-2:] - 0.01, self._upper[-2:] + 0.01
            self.gripper_target = np.clip(sent + change, lower, upper)
        closed_on_itself = False
        if last is None:
            velocity = np.clip(self._robot.qvel[self._fingers].astype(float), -1.0, 1.0)
        else:
            touches = finger_touches(self._contacts(), self._robot_links)
            lag = np.clip(last.position[-1], self._lower[-2:], self._upper[-2:]) - angles
            sides = [touches["right"], touches["left"]]
            velocity = self._read_velocities(sides, lag, last.velocity[-1])
            closed_on_itself = any(touch.other_finger for touch in sides)
        path = self._gripper_planner.plan(angles, velocity, self.gripper_target, self._timestep, self._substeps)
        self.gripper_path = path
        self._sent_fingers, self._sent_finger_velocity = path.position, path.velocity
        if closed_on_itself:
            self._sent_fingers, self._sent_finger_velocity = path.position.copy(), path.velocity.copy()
            soften(self._sent_fingers, self._sent_finger_velocity, float(angles.mean()))

    def before_substep(self, k: int) -> None:
        """Way point k + 1: the start of a path is never commanded."""
        for send, target in zip(self._send_target, self._sent_position[k + 1], strict=True):
            send(target)
        for send, speed in zip(self._send_velocity, self._sent_velocity[k + 1], strict=True):
            send(speed)

    def gripper_opening(self) -> float:
        """1 at finger angle 0, 0 at 1.3 rad."""
        angles = self._robot.qpos[self._fingers]
        return float(1.0 - max(float(np.mean(angles)) / FULLY_CLOSED, 0.0))
