"""Resets in the original's own words: env id, constructor keywords and reset options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.initial.build import build_spec
from eval.initial.options import RobotOptions, read_options
from eval.initial.seeds import SeedChain
from task_configs import GraspTask, Setup, Task, load_task, robots, scenes, task_names
from task_configs.strict import parse

IGNORED_KWARGS = frozenset(
    {"obs_mode", "control_mode", "reward_mode", "camera_cfgs", "rgb_overlay_cameras", "rgb_overlay_mode", "render_mode"}
)
"""Keywords that change neither the start nor the rules of an episode."""
LIGHTING_FLAGS = {
    "slightly_brighter_lighting": "slightly_brighter",
    "slightly_darker_lighting": "slightly_darker",
    "darker_lighting": "darker",
}
"""In the order in which the original's grasp tasks ask for them."""
ORIENTATION_FLAGS = ("upright", "laid_vertically", "lr_switch")
"""In the order in which the original asks for them."""
RENAMED = {
    "robot": "robot",
    "scene_name": "scene",
    "sim_freq": "sim_freq",
    "control_freq": "control_freq",
    "max_episode_steps": "max_steps",
    "disable_bad_material": "disable_bad_material",
    "distractor_config": "distractors",
}
"""Keyword of the original -> field of a setup."""
PREPACKAGED_KEEPS = frozenset({"orientation", "distractors", "lighting", "max_steps"})
"""What the caller may still choose in the prepackaged setting; it overwrites the rest."""
SHADERS = {"ibl": "default", "rt": "rt"}


class NotSupported(UserError):
    """An environment or keyword of the original that is not built."""


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
    task = load_task(task_name)
    setup = _setup(task, env_id, kwargs)
    read = read_options(options)
    prepackaged = bool(kwargs.get("prepackaged_config", False))
    if prepackaged:
        robot = RobotOptions(init_xy=setup.robot_xy, init_rot_quat=setup.robot_quat)  # the caller's are overwritten
        read = read.model_copy(update={"robot_init_options": robot})
    elif setup.view != "default":
        qpos = robots()[setup.robot].start_qpos(setup.view)  # written over the caller's by these classes
        robot = read.robot_init_options.model_copy(update={"qpos": qpos})
        read = read.model_copy(update={"robot_init_options": robot})
    episode_seed = chain.next(seed)
    setting = "prepackaged" if prepackaged else "custom"
    return build_spec(task_name, setup, episode_seed, read, setting=setting, variant="default", index=episode_seed)


def _setup(task: Task, env_id: str, kwargs: Mapping[str, Any]) -> Setup:
    """Setup of an environment made with these keywords."""
    left = {key: value for key, value in kwargs.items() if key not in IGNORED_KWARGS}
    changes: dict[str, Any] = {}
    if isinstance(task, GraspTask):
        changes |= _flags(left, ORIENTATION_FLAGS, "orientation", {})
    changes |= _flags(left, tuple(LIGHTING_FLAGS), "lighting", LIGHTING_FLAGS)
    changes |= {RENAMED[key]: left.pop(key) for key in list(left) if key in RENAMED}
    urdf_version = left.pop("urdf_version", None)
    changes["urdf_version"] = "" if urdf_version in (None, "None") else urdf_version
    changes["overlay"] = left.pop("rgb_overlay_path", None)
    shader = left.pop("shader_dir", "ibl")
    if shader not in SHADERS:
        raise NotSupported(f'shader_dir "{shader}" is not built.{did_you_mean(str(shader), SHADERS)}')
    changes["shader"] = SHADERS[shader]
    prepackaged = left.pop("prepackaged_config", False)
    if left:
        key = next(iter(left))
        raise NotSupported(f'Keyword "{key}" of {env_id} is not built.{did_you_mean(key, [*RENAMED, *LIGHTING_FLAGS])}')

    base = task.envs[env_id].applied_to(task.setup)
    if prepackaged:
        kept = {key: value for key, value in changes.items() if key in PREPACKAGED_KEEPS}
        return _checked(task, task.settings["prepackaged"].setup.applied_to(base), kept)
    robot = changes.get("robot", base.robot)
    if robot not in robots():
        raise NotSupported(f'Robot "{robot}" is not built.{did_you_mean(str(robot), robots())}')
    if changes.setdefault("scene", robots()[robot].default_scene) not in scenes():
        raise NotSupported(f'Scene "{changes["scene"]}" is not built.{did_you_mean(str(changes["scene"]), scenes())}')
    # Outside the prepackaged setting the original places the robot from the options or the generator alone.
    return _checked(task, base, changes | {"robot_xy": None, "robot_quat": None})


def _checked(task: Task, setup: Setup, changes: Mapping[str, Any]) -> Setup:
    sets = task.distractor_sets if isinstance(task, GraspTask) else {}
    wanted = changes.get("distractors")
    if wanted is not None and wanted not in sets:
        raise NotSupported(f'distractor_config "{wanted}" is not built.{did_you_mean(str(wanted), sets)}')
    return parse(Setup, setup.model_dump(mode="json") | dict(changes), "environment keywords")


def _flags(left: dict[str, Any], flags: tuple[str, ...], field: str, values: Mapping[str, str]) -> dict[str, str]:
    """Takes the boolean keywords out of ``left``; the first that is set decides the field."""
    given = [flag for flag in flags if left.pop(flag, False)]
    return {field: values.get(given[0], given[0])} if given else {}
