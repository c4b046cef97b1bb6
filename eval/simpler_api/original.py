"""Resets in the original's own words: env id, constructor keywords and reset options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.episode import EpisodeSpec
from eval.errors import did_you_mean
from eval.simpler_api.build import build_spec
from eval.simpler_api.keywords import NotSupported, read_keywords
from eval.simpler_api.options import ResetOptions, RobotOptions, read_options
from eval.simpler_api.seeds import SeedChain
from task_configs import Setup, load_task, robots, task_names

__all__ = ["NotSupported", "spec_from_reset", "task_of_env"]


def task_of_env(env_id: str) -> str:
    """Name of the task that an env id of the original is. Raises NotSupported."""
    for name in task_names():
        if env_id in load_task(name).envs:
            return name
    known = [env for name in task_names() for env in load_task(name).envs]
    raise NotSupported(f'Environment "{env_id}" is not built.{did_you_mean(env_id, known)}')


def spec_from_reset(
    env_id: str,
    kwargs: Mapping[str, Any],
    seed: int | None,
    options: Mapping[str, Any] | None,
    chain: SeedChain,
) -> EpisodeSpec:
    """The episode that the original begins: ``gym.make(env_id, **kwargs)``, then ``reset(seed=seed, options=options)``.

    Args:
        env_id: registered name, e.g. ``GraspSingleOpenedCokeCanInScene-v0``.
        kwargs: constructor keywords; ``rgb_overlay_path`` is relative to the pack's ``data`` folder.
        seed: None continues the chain of the environment's earlier resets.
        options: ``robot_init_options``, ``obj_init_options``, ... (spec tasks 0.2, 1, 6); is not changed.
        chain: seeds of this environment; one per environment object, moved on by this call.

    Raises:
        NotSupported: the environment or a keyword is not built.
        UserError: an option has an unknown key or a wrong type.
    """
    task_name = task_of_env(env_id)
    setup = read_keywords(load_task(task_name), env_id, kwargs)
    prepackaged = bool(kwargs.get("prepackaged_config", False))
    read = _overwritten(read_options(options), setup, prepackaged)
    episode_seed = chain.next(seed)
    setting = "prepackaged" if prepackaged else "custom"
    return build_spec(task_name, setup, episode_seed, read, setting=setting, variant="default", index=episode_seed)


def _overwritten(read: ResetOptions, setup: Setup, prepackaged: bool) -> ResetOptions:
    """The caller's options as some classes of the original change them."""
    robot = read.robot_init_options
    if prepackaged or setup.robot_xy is not None:
        robot = RobotOptions()  # the setup places the robot, whatever the caller says
    elif setup.view.startswith("alt"):
        robot = robot.model_copy(update={"qpos": robots()[setup.robot].start_qpos(setup.view)})
    return read.model_copy(update={"robot_init_options": robot})
