"""Episodes and observations as policies get them, without a world."""

from __future__ import annotations

import numpy as np

from policies.base import EpisodeInfo, Observation, Proprio, RobotName


def episode_info(episode: str = "e", seed: int = 3, robot: RobotName = "widowx") -> EpisodeInfo:
    return EpisodeInfo(episode, "t", robot, "do", 80, 5, seed)


def observation(step: int, robot: RobotName = "widowx", episode: str = "e") -> Observation:
    zeros = np.zeros(3, np.float32)
    return Observation(episode, step, robot, "do", None, Proprio(zeros, np.zeros(4, np.float32), 1.0, zeros))
