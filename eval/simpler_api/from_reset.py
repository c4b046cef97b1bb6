"""From a reset of the original (env id, constructor keywords, reset options) to the episode that it begins."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from eval.episode import EpisodeSpec
from eval.errors import did_you_mean
from eval.simpler_api.keywords import NotSupported, read_keywords
from eval.simpler_api.seeds import SeedChain
from eval.tasks.build import build_spec
from eval.tasks.loading import load_task, usable_tasks
from eval.tasks.reset_options import ResetOptions, RobotOptions, read_options
from eval.tasks.user_tasks import built_in_tasks
from task_configs.schema.tables import robots
from task_configs.schema.tasks import Setup


@cache
def _built_in_envs() -> Mapping[str, str]:
    return {env_id: name for name in sorted(built_in_tasks()) for env_id in load_task(name).envs}


def task_of_env(env_id: str) -> str:
    """Name of the task that an env id of the original is, a built-in one first. Raises NotSupported."""
    if env_id in _built_in_envs():
        return _built_in_envs()[env_id]
    for name, task in usable_tasks()[0].items():
        if env_id in task.envs:
            return name
    raise NotSupported(f'Environment "{env_id}" is not built.{did_you_mean(env_id, env_ids())}')


def env_ids() -> list[str]:
    """Env ids of the original that are built."""
    return [env_id for task in usable_tasks()[0].values() for env_id in task.envs]


def spec_from_reset(
    env_id: str,
    kwargs: Mapping[str, object],
    seed: int | None,
    options: Mapping[str, object] | None,
    chain: SeedChain,
) -> EpisodeSpec:
    """The episode that the original begins: ``gym.make(env_id, **kwargs)``, then ``reset(seed=seed, options=options)``.

    Args:
        env_id: registered name, e.g. ``GraspSingleOpenedCokeCanInScene-v0``.
        kwargs: constructor keywords; ``rgb_overlay_path`` is relative to the pack's ``data`` folder.
        seed: None continues the chain of the environment's earlier resets.
        options: ``robot_init_options``, ``obj_init_options``, ... (docs/simpler.md, tasks 0.2, 1, 6); is not changed.
        chain: seeds of this environment; one per environment object, moved on by this call.

    Raises:
        NotSupported: the environment or a keyword is not built.
        UserError: an option has an unknown key or a wrong type.

    The episode's ``simpler_reset`` is left empty: it came from a reset, not from a plan.
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
