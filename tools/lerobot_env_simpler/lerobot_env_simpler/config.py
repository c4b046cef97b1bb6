"""``--env.type=simpler``: the options of ``lerobot-eval --env.*``, and the environments that it makes of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from lerobot.configs import FeatureType, PolicyFeature
from lerobot.envs import EnvConfig
from lerobot.envs.utils import _LazyAsyncVectorEnv, freeze_after_episode_end
from lerobot.utils.constants import ACTION, OBS_STATE

from eval.datasets.features import ROBOTS, RobotFamily
from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.plan.suites import make_plan
from lerobot_env_simpler.actions import CONVENTIONS
from lerobot_env_simpler.environment import STATE_SIZE, LeRobotEnv
from task_configs import robots

STATE = "agent_pos"


@EnvConfig.register_subclass("simpler")  # type: ignore[untyped-decorator,unused-ignore]
@dataclass
class SimplerEnv(EnvConfig):  # type: ignore[misc,unused-ignore]  # mypy does not follow what is optional
    """SIMPLER. A group of LeRobot's table is a task; ``--seed=0 --eval.n_episodes=N`` plays the first N initial states of each.

    Raises:
        UserError: there is no such task, setting or variant, or the tasks are not all of one robot.
    """

    task: str = "widowx_carrot_on_plate"
    """A task of ``simpler-eval list``, a task file, or several of one robot with commas between."""
    setting: str | None = None
    """Which sweep of the tasks; ``visual_matching`` if not given."""
    variants: str | None = None
    """Only the variants that match one of these patterns; commas between."""
    max_steps: int | None = None
    """Step limit instead of the task's own."""
    actions: str = CONVENTIONS[0]
    """What the policy's seven numbers mean: ``command`` or ``open_x``."""
    assets: str | None = None
    rt: str = "auto"
    render_device: str | None = None
    world: str = "simpler-eval"
    """As of ``simpler-eval run``."""
    fps: int = 0
    """The robot's control frequency, whatever is given."""
    features: dict[str, PolicyFeature] = field(default_factory=dict)
    features_map: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.actions not in CONVENTIONS:
            raise UserError(f'There are no actions "{self.actions:.40}".{did_you_mean(self.actions, CONVENTIONS)}')
        first = self._plan(self._tasks()[0])[0]
        for task in self._tasks()[1:]:
            if self._plan(task)[0].robot_family != first.robot_family:
                raise UserError(f"{first.task} and {task} are of two robots, which see other things; evaluate each alone.")
        robot = robots()[first.robot]
        image = ROBOTS[cast(RobotFamily, first.robot_family)].image
        self.fps = robot.control_freq
        self.features = {
            ACTION: PolicyFeature(type=FeatureType.ACTION, shape=(7,)),
            STATE: PolicyFeature(type=FeatureType.STATE, shape=(STATE_SIZE,)),
            image: PolicyFeature(type=FeatureType.VISUAL, shape=(robot.camera.height, robot.camera.width, 3)),
        }
        self.features_map = {ACTION: ACTION, STATE: OBS_STATE, image: image}

    @property
    def package_name(self) -> str:
        """Ours."""
        return "simpler_eval"

    @property
    def gym_id(self) -> str:
        """Of the first task."""
        return f"{self.package_name}/{self._tasks()[0]}-v0"

    @property
    def gym_kwargs(self) -> dict[str, Any]:
        """Of every environment, beside its task."""
        return {
            "setting": self.setting,
            "variants": _names(self.variants),
            "max_steps": self.max_steps,
            "actions": self.actions,
            "assets": self.assets,
            "rt": self.rt,
            "render_device": self.render_device,
            "world": self.world,
        }

    def create_envs(self, n_envs: int, use_async_envs: bool = False) -> dict[str, dict[int, VectorEnv[Any, Any, Any]]]:
        """Task -> 0 -> its environments.

        An environment whose episode is over does nothing until LeRobot begins the next batch, instead of playing an episode
        that nobody counts.
        """
        made: dict[str, dict[int, VectorEnv[Any, Any, Any]]] = {}
        for task in self._tasks():
            count = len(self._plan(task))
            logging.info("%s has %d initial states: --eval.n_episodes=%d plays each of them once", task, count, count)
            makers = [partial(LeRobotEnv, task, **self.gym_kwargs)] * n_envs
            if use_async_envs and n_envs > 1:
                envs = _LazyAsyncVectorEnv(makers)  # processes of its own, once its task's turn has come
            else:
                frozen = [freeze_after_episode_end(maker) for maker in makers]
                envs = SyncVectorEnv(frozen, autoreset_mode=AutoresetMode.SAME_STEP)
            made[task] = {0: envs}
        return made

    def _tasks(self) -> Sequence[str]:
        return _names(self.task) or [""]

    def _plan(self, task: str) -> list[EpisodeSpec]:
        return make_plan(tasks=task, setting=self.setting, variants=_names(self.variants), max_steps=self.max_steps)


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]
