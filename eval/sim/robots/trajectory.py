"""Jerk-limited joint paths of the Google Robot's controllers (docs/simpler.md 5.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ruckig import InputParameter, Ruckig, Trajectory

Array = NDArray[np.float64]


@dataclass(frozen=True)
class JointPath:
    """A path sampled at the substeps; S = substeps, d = joints."""

    position: Array
    """(S + 1, d) rad; row 0 is the start and is never commanded (docs/simpler.md Q36)."""
    velocity: Array
    """(S + 1, d) rad/s."""
    duration: float


class PathPlanner:
    """Time-synchronised Ruckig paths that end at rest."""

    def __init__(self, joints: int, velocity: float, acceleration: float, jerk: float) -> None:
        self._ruckig = Ruckig(joints)
        self._joints = joints
        self._limits = velocity, acceleration, jerk

    def plan(self, start: Array, start_velocity: Array, target: Array, timestep: float, substeps: int) -> JointPath:
        """(d,) start, start velocity and target; start acceleration is always 0 (docs/simpler.md Q26)."""
        n = self._joints
        v, a, j = self._limits
        request = InputParameter(n)
        request.current_position, request.current_velocity = start.tolist(), start_velocity.tolist()
        request.current_acceleration = request.target_velocity = request.target_acceleration = [0.0] * n
        request.target_position = target.tolist()
        request.max_velocity, request.min_velocity = [v] * n, [-v] * n
        request.max_acceleration, request.min_acceleration = [a] * n, [-a] * n
        request.max_jerk = [j] * n
        trajectory = Trajectory(n)
        self._ruckig.calculate(request, trajectory)
        duration = float(trajectory.duration)
        positions, velocities = [], []
        for k in range(substeps + 1):
            at, speed, _ = trajectory.at_time(min(k * timestep, duration))
            positions.append(at)
            velocities.append(speed)
            if k * timestep >= duration:  # the rest repeats it (docs/simpler.md Q37)
                break
        position, velocity = np.empty((substeps + 1, n)), np.empty((substeps + 1, n))
        sampled = len(positions)
        position[:sampled], velocity[:sampled] = positions, velocities
        position[sampled:], velocity[sampled:] = positions[-1], velocities[-1]
        return JointPath(position, velocity, duration)
