"""A world without physics that misbehaves on request; ``assets`` is a folder for the marks of what happened."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from eval.backends.base import Simulation, SimulationState
from eval.errors import UserError
from eval.records.header import AssetsRecord, WorldRecord
from policies.base import Privileged

H, W = 32, 48


class FakeWorld(Simulation):
    """Succeeds at its last step if the index is even; the image's value is the step."""

    def __init__(self, options):
        super().__init__(options)
        if options.assets == "no_vulkan":
            raise UserError("No Vulkan device.")
        self.assets = options.assets
        self._mark("built", str(os.getpid()))

    def _mark(self, name, text):
        if self.assets:
            with Path(self.assets, name).open("a") as file:
                file.write(f"{text}\n")

    def image_size(self, spec):
        return H, W

    def begin(self, spec, image):
        self.spec, self.steps, self.subtask = spec, 0, 0
        self._mark("resets", spec.id)
        self._mark("players", f"{os.getpid()} {spec.shader}")
        self._mark("rendered", image is not None)
        return self._state(image)

    def step(self, action, image):
        self.steps += 1
        time.sleep(0.01 if self.spec.variant == "slow" else 0.0)
        self._misbehave()
        return self._state(image)

    def _misbehave(self):
        how, _, when = self.spec.variant.partition("_")
        if self.steps != 3 or how not in ("die", "hang", "raise"):
            return
        mark = Path(self.assets, f"{self.spec.id}.{how}")
        if when == "once" and mark.exists():
            return
        mark.touch()
        if how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "hang":
            time.sleep(60)
        raise RuntimeError("the world broke")

    def _state(self, image):
        if image is not None:
            image[...] = self.steps
        success = self.steps > 0 and self.spec.index % 2 == 0
        has_subtasks = self.spec.variant == "subtasks"
        if has_subtasks:
            success = self.subtask == 1 and self.steps == 3
        return SimulationState(
            instruction=f"subtask {self.subtask}" if has_subtasks else "do something",
            tcp_pose=np.array([self.steps, 0, 0, 1, 0, 0, 0], np.float32),
            gripper_opening=1.0,
            qpos=np.zeros(1, np.float32),
            success=success,
            episode_stats={"moved": np.bool_(True), "steps": np.int64(self.steps)},
            is_final_subtask=not has_subtasks or self.subtask == 1,
        )

    def advance_to_next_subtask(self):
        self.subtask += 1

    def privileged(self):
        pose = np.array([self.steps, 0, 0, 1, 0, 0, 0], np.float64)
        box = {"thing": np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])}
        return Privileged("grasp", {"thing": pose}, box, {"target": "thing"}, pose, pose)

    def describe(self):
        return WorldRecord(name="a fake world", assets=AssetsRecord(stand_ins=("robot.urdf",)))
