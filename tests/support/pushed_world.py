"""A world that adds up what it is told: the tool moves by each action, and carries the thing while the gripper is closed."""

from __future__ import annotations

import numpy as np

from eval.backends.base import Simulation, SimulationState
from eval.records.header import WorldRecord


class PushedWorld(Simulation):
    def image_size(self, spec):
        return 48, 64

    def begin(self, spec, image):
        self.tool = np.array([spec.index / 10, 0.0, 0.0])
        self.thing, self.closed = np.zeros(3), False
        return self._state(image)

    def step(self, action, image):
        self.tool = self.tool + action[:3]
        self.closed = action[6] < 0
        if self.closed:
            self.thing = self.thing + action[:3]
        return self._state(image)

    def _state(self, image):
        if image is not None:
            image[...] = 100
        return SimulationState(
            instruction="carry it",
            tcp_pose=np.concatenate([self.tool, [1.0, 0.0, 0.0, 0.0]]),
            gripper_opening=0.0 if self.closed else 1.0,
            qpos=self.tool.astype(np.float32),
            success=bool(self.thing[0] > 0.1),
            episode_stats={"carried": bool(self.closed)},
            surroundings=self.thing,
        )

    def describe(self):
        return WorldRecord(name="a pushed world")
