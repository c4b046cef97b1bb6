"""A world without physics that can be told to misbehave; ``assets`` is a folder for the marks of what happened."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
from gymnasium import spaces

from eval.errors import UserError

NAME = "a fake world"
H, W = 32, 48


def open_assets(text):
    if text == "no_vulkan":
        raise UserError("No Vulkan device.")
    return text


def scene_key(spec):
    return spec.scene


def make_world(spec, assets, render=True):
    if assets:
        with Path(assets, "built").open("a") as file:
            file.write(f"{os.getpid()} {render}\n")
    return FakeWorld(assets, render)


class FakeWorld:
    """Succeeds at its last step if the index is even; the picture's value is the step."""

    image_out = None

    def __init__(self, assets, render):
        self.assets, self.render = assets, render
        self.observation_space = {"image": spaces.Box(0, 255, (H, W, 3), np.uint8)}

    def assets_record(self):
        return {"standins": ["robot.urdf"], "files": {}}

    def reset(self, *, options):
        self.spec, self.steps, self.subtask = options["spec"], 0, 0
        if self.assets:
            with Path(self.assets, "resets").open("a") as file:
                file.write(f"{self.spec.id}\n")
        return self._observation(), self._info()

    def step(self, action):
        self.steps += 1
        self._misbehave()
        return self._observation(), 0.0, False, False, self._info()

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

    def _observation(self):
        observation = {
            "tcp_pose": np.array([self.steps, 0, 0, 1, 0, 0, 0], np.float32),
            "gripper_opening": np.array([1.0], np.float32),
            "qpos": np.zeros(1, np.float32),
        }
        if self.render:
            image = self.image_out if self.image_out is not None else np.empty((H, W, 3), np.uint8)
            image[...] = self.steps
            observation["image"] = image
        return observation

    def _info(self):
        success = self.steps > 0 and self.spec.index % 2 == 0
        if self.spec.variant == "subtasks":
            success = self.subtask == 1 and self.steps == 3
        return {
            "instruction": f"subtask {self.subtask}" if self.spec.variant == "subtasks" else "do something",
            "success": success,
            "episode_stats": {"moved": np.bool_(True), "steps": np.int64(self.steps)},
            "elapsed_steps": self.steps,
            "is_final_subtask": self.spec.variant != "subtasks" or self.subtask == 1,
        }

    def advance_to_next_subtask(self):
        self.subtask += 1

    def privileged(self):
        return {"steps": self.steps}

    def close(self):
        pass
