"""Our Gymnasium environment with the observations, the infos and the attributes that LeRobot looks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from eval.datasets.features import ROBOTS, RobotFamily, states
from eval.interop.gymnasium_env import SimplerEvalEnv
from lerobot_env_simpler.actions import CONVENTIONS, reader

STATE_SIZE = 8
OF_LEROBOT = "lerobot_"
"""How LeRobot's own options of ``reset`` begin."""


class LeRobotEnv(gymnasium.Env[dict[str, Any], NDArray[np.float32]]):
    """A setting of a SIMPLER task, for ``lerobot-eval``.

    Observation: ``pixels`` -> camera -> (H, W, 3) RGB, and ``agent_pos`` (8,): the keys, sizes and the state's layout of
    datasets that ``simpler-eval run --record lerobot`` writes, which are those of the public copies of Bridge and Fractal.
    Action: (7,) as ``actions`` says (:data:`lerobot_env_simpler.actions.CONVENTIONS`).

    LeRobot counts an episode as solved if any ``is_success`` of it is true, and SIMPLER asks after the last step alone; so it
    is only true there. The reward is 1 at every step at which the task is solved.

    Args:
        task: a task, or a task file.
        actions: what the seven numbers mean.
        more: of :class:`eval.interop.gymnasium_env.SimplerEvalEnv`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 5}  # type: ignore[misc]

    def __init__(self, task: str, actions: str = CONVENTIONS[0], **more: Any) -> None:  # noqa: ANN401
        self._env = SimplerEvalEnv(task, render_mode="rgb_array", **more)
        self.task, self.render_mode, self.metadata = task, "rgb_array", self._env.metadata  # type: ignore[misc]
        plan = self._env.plan
        self._robot = cast(RobotFamily, plan[0].robot_family)
        self._camera = ROBOTS[self._robot].image.rpartition(".")[2]
        self._max_episode_steps = max(spec.max_steps for spec in plan)
        self._actions = actions
        self._command = reader(actions, self._robot)
        image: spaces.Space[Any] = self._env.observation_space["image"]  # type: ignore[index]
        felt = spaces.Box(-np.inf, np.inf, (STATE_SIZE,), np.float32)
        self.observation_space = spaces.Dict({"pixels": spaces.Dict({self._camera: image}), "agent_pos": felt})
        self.action_space = spaces.Box(-np.inf, np.inf, (7,), np.float32)

    @property
    def task_description(self) -> str:
        """What is to be done now."""
        return self._env.instruction

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin the episode ``seed`` of the plan, counted round; without a seed one is drawn."""
        super().reset(seed=seed)
        ours = {name: value for name, value in (options or {}).items() if not name.startswith(OF_LEROBOT)}
        self._command = reader(self._actions, self._robot)
        observation, info = self._env.reset(seed=seed, options=ours)
        return self._observation(observation), self._info(info, over=False)

    def step(self, action: ArrayLike) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Play a control step."""
        observation, reward, terminated, truncated, info = self._env.step(self._command(action))
        return self._observation(observation), reward, terminated, truncated, self._info(info, terminated or truncated)

    def render(self) -> NDArray[np.uint8] | None:
        """(H, W, 3), the image of the last observation."""
        return self._env.render()

    def close(self) -> None:
        """Free the scene."""
        self._env.close()

    def _observation(self, seen: dict[str, Any]) -> dict[str, Any]:
        pose, opening = seen["state"][None, :7].astype(np.float64), seen["state"][None, 7].astype(np.float64)
        return {"pixels": {self._camera: seen["image"]}, "agent_pos": states(self._robot, pose, opening)[0]}

    @staticmethod
    def _info(info: dict[str, Any], over: bool) -> dict[str, Any]:
        told = {name: info[name] for name in ("instruction", "episode", "episode_index", "variant")}
        return {"is_success": info["success"] and over, **told}
