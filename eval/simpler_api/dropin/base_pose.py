"""Control modes whose action is a pose of the tool at the base instead of a change of it.

The original has none; the forks made for X-VLA add one for each robot (allenai/vla-evaluation-harness, docker/), with Euler
angles. Both lead to the same inverse kinematics as the modes that we play, so the pose is turned into what leads there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eval.sim.robots.widowx import WidowXController
from eval.sim.scene import EpisodeScene

MODES: Mapping[str, str] = {
    "google_robot": "arm_pd_ee_base_pose_align_interpolate_by_planner_gripper_pd_joint_target_delta_pos_interpolate_by_planner",
    "widowx": "arm_pd_ee_target_base_pose_gripper_pd_joint_pos",
}
"""By robot family."""


def as_motion(scene: EpisodeScene, action: NDArray[np.float64]) -> NDArray[np.float64]:
    """The action of the robot's usual mode that leads to a pose.

    Args:
        scene: before the control step.
        action: (7,) position [m], angles about the base's x, then y, then z axis [rad], gripper as usual.
    """
    goal = Rotation.from_euler("xyz", action[3:6])
    motion = action.copy()
    if isinstance(scene.controller, WidowXController):  # it remembers its target: no motion leads there
        scene.controller.aim_at(action[:3], goal.as_quat()[[3, 0, 1, 2]])
        motion[:6] = 0.0
        return motion
    sensed = scene.robot.tool_pose()
    motion[:3] = action[:3] - sensed.p
    motion[3:6] = (goal * Rotation.from_quat(np.roll(sensed.q, -1)).inv()).as_rotvec()
    return motion
