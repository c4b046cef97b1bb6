"""A fake environment: succeeds at its fifth step if its episode id is even, misbehaves on request.

FAKE_TROUBLE is "<what>:<episode id>:<folder>": die (signal 9), crash (signal 6), hang or raise, at the third step of that
episode; once if the folder's name is "once", else each time.
"""

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from sapien.core import Pose

SIZE = (24, 32)


class FakeEnvironment:
    def __init__(self, env_id, **kwargs):
        self.kwargs, self.env_id = kwargs, env_id
        self.unwrapped = self
        self.tcp = SimpleNamespace(pose=Pose((0.5, 0.0, 1.0)))
        robot = SimpleNamespace(pose=Pose((0.1, 0.0, 0.0)), get_qpos=lambda: np.zeros(8))
        self.agent = SimpleNamespace(robot=robot, get_gripper_closedness=lambda: 0.25)
        self._scene = SimpleNamespace(get_all_actors=lambda: [])
        self.episode_stats = {"n": np.bool_(False)}

    def reset(self, seed=None, options=None):
        assert isinstance(options["robot_init_options"]["init_xy"], np.ndarray)
        self.episode, self.steps = options["obj_init_options"]["episode_id"], 0
        if "renderer_kwargs" in self.kwargs:
            self.episode_stats["device"] = self.kwargs["renderer_kwargs"]["device"]
        return self._observation(), {}

    def step(self, action):
        self.steps += 1
        self._misbehave()
        self.episode_stats["n"] = np.bool_(self.steps >= 5)
        success = self.steps == 5 and self.episode % 2 == 0
        return self._observation(), 0.0, success, False, {"success": success, "episode_stats": self.episode_stats}

    def _observation(self):
        height, width = SIZE
        return {"image": np.full((height, width, 3), 10 * self.episode + self.steps, np.uint8)}

    def _misbehave(self):
        what, episode, folder = os.environ.get("FAKE_TROUBLE", "::").split(":")
        if not what or self.steps != 3 or self.episode != int(episode):
            return
        mark = Path(folder) / "struck"
        if Path(folder).name == "once" and mark.exists():
            return
        mark.touch()
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "crash":
            os.abort()
        if what == "hang":
            time.sleep(60)
        raise RuntimeError("the simulator broke")

    def get_language_instruction(self):
        return f"put the {self.env_id}"

    def is_final_subtask(self):
        return True

    def close(self):
        pass


def build_maniskill2_env(env_name, **kwargs):
    return FakeEnvironment(env_name, **kwargs)
