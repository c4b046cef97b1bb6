"""A world without physics whose picture says where the object is: solved by whoever acts there, told to do the task."""

from __future__ import annotations

import numpy as np

from eval.backends.base import Simulation, SimulationState
from eval.records.header import AssetsRecord, WorldRecord
from policies.base import Privileged

H, W = 24, 32
NEAR = 0.005
"""m."""


class AuditedWorld(Simulation):
    """Solved in the step whose first two numbers are the object's position."""

    def image_size(self, spec):
        return H, W

    def begin(self, spec, image):
        self.spec, self.solved = spec, False
        return self._state(image)

    def step(self, action, image):
        self.solved = bool(np.abs(np.asarray(action)[:2] - self.spec.objects[0].xy).max() < NEAR)
        return self._state(image)

    def _state(self, image):
        if image is not None:
            image[...] = np.arange(W, dtype=np.uint8)[None, :, None] * 8
            image.reshape(-1)[:16] = np.frombuffer(np.array(self.spec.objects[0].xy, np.float64).tobytes(), np.uint8)
        return SimulationState(
            instruction=self.spec.instruction,
            tcp_pose=np.array([0, 0, 0, 1, 0, 0, 0], np.float32),
            gripper_opening=1.0,
            qpos=np.zeros(1, np.float32),
            success=self.solved,
            episode_stats={},
            is_final_subtask=True,
        )

    def privileged(self):
        pose = np.array([*self.spec.objects[0].xy, 0, 1, 0, 0, 0], np.float64)
        return Privileged("put_on", {"thing": pose}, {"thing": np.zeros((2, 3))}, {"source": "thing"}, pose, pose)

    def describe(self):
        return WorldRecord(name="a world for audits", assets=AssetsRecord(stand_ins=()))
