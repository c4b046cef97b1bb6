"""A world without physics whose pictures, states and verdict follow from what is commanded: actions push a spot about."""

from __future__ import annotations

import hashlib

import numpy as np

from eval.backends.base import Simulation, SimulationState
from eval.records.header import AssetsRecord, WorldRecord

H, W, SPOT = 96, 128, 24


class PlayfulWorld(Simulation):
    """Every episode has a background and a spot of its own; it is a success if the spot ends up right of where it began."""

    def image_size(self, spec):
        return H, W

    def begin(self, spec, image):
        self.spec = spec
        random = np.random.default_rng(int.from_bytes(hashlib.sha256(spec.id.encode()).digest()[:8]))
        self.background = np.kron(random.integers(0, 200, (H // 8, W // 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        self.spot = np.kron(random.integers(0, 256, (SPOT // 4, SPOT // 4, 3)), np.ones((4, 4, 1))).astype(np.uint8)
        self.place = self.origin = np.array([H, W]) / 2 - SPOT / 2
        return self._state(image)

    def step(self, action, image):
        command = np.asarray(action, np.float64)
        push = 400 * command[:2] + 6 * np.sin(1000 * command[3:5])
        self.place = np.clip(self.place + push, 0, [H - SPOT, W - SPOT])
        return self._state(image)

    def _state(self, image):
        row, column = np.round(self.place).astype(int)
        if image is not None:
            image[...] = self.background
            image[row : row + SPOT, column : column + SPOT] = self.spot
        return SimulationState(
            instruction=self.spec.instruction,
            tcp_pose=np.array([*self.place / 1000, 0.2, 1, 0, 0, 0], np.float32),
            gripper_opening=1.0,
            qpos=np.zeros(8, np.float32),
            success=bool(self.place[1] > self.origin[1]),
            episode_stats={"moved": np.bool_((self.place != self.origin).any())},
        )

    def describe(self):
        return WorldRecord(name="a playful world", assets=AssetsRecord())
