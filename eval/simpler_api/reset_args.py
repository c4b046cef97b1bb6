"""The way back: how the original begins an episode of a plan, built from the task's data without any search.

The environment is the one that the original's scripts make (``TaskBase.env_of``); its keywords are the family's table read
backwards, for every field in which the setup differs from what that environment builds anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import JsonValue

from eval.episode import EpisodeSpec, SimplerReset, Vec2
from eval.simpler_api.from_reset import task_of_env
from eval.simpler_api.keywords import SHADERS
from eval.simpler_api.names import ENVIRONMENT_MAP
from eval.tasks.base import KeywordTable, TaskBase
from eval.tasks.families import FAMILIES
from eval.tasks.loading import load_task
from task_configs.schema.tables import robots
from task_configs.schema.tasks import Setup

NOWHERE = (0.0, 0.0)
"""``init_xy`` that the original's scripts give where there is no object to place."""
PREPACKAGED = "prepackaged"


class Environment(NamedTuple):
    """An environment of the original, made for one variant."""

    env_id: str
    kwargs: dict[str, JsonValue]
    """The keywords of its family."""


def environment_of(task_name: str, setting: str, setup: Setup) -> Environment | None:
    """The environment that plays a variant in the original; None for the user's tasks, and where it has no environment."""
    if task_name not in ENVIRONMENT_MAP:
        return None
    if setting == PREPACKAGED:
        packaged, kwargs = ENVIRONMENT_MAP[task_name]
        return Environment(packaged, {**kwargs, "prepackaged_config": True})
    task = load_task(task_name)
    env_id = task.env_of(setup)
    return None if env_id is None else Environment(env_id, _family_keywords(env_id, task, setup))


def simpler_reset(environment: Environment, spec: EpisodeSpec, objects: Mapping[str, Vec2 | int]) -> SimplerReset:
    """How ``environment`` begins the episode.

    Args:
        environment: of the episode's variant.
        spec: the episode.
        objects: what the original's scripts give as ``obj_init_options``; nothing where there is no object to place.
    """
    if spec.setting == PREPACKAGED:
        kwargs = environment.kwargs | {"max_episode_steps": spec.max_steps}
        return SimplerReset(env_id=environment.env_id, kwargs=kwargs, seed=spec.seed, options={})
    given: dict[str, JsonValue] = {key: list(v) if isinstance(v, tuple) else v for key, v in objects.items()}
    options: dict[str, JsonValue] = {
        "robot_init_options": {"init_xy": list(spec.robot_xy), "init_rot_quat": list(spec.robot_quat)},
        "obj_init_options": given or {"init_xy": list(NOWHERE)},
    }
    kwargs = _common_keywords(spec) | environment.kwargs
    return SimplerReset(env_id=environment.env_id, kwargs=kwargs, seed=spec.seed, options=options)


def _common_keywords(spec: EpisodeSpec) -> dict[str, JsonValue]:
    """Keywords that every family understands."""
    kwargs: dict[str, JsonValue] = {
        "robot": spec.robot,
        "control_mode": robots()[spec.robot].control_mode,
        "control_freq": spec.control_freq,
        "sim_freq": spec.sim_freq,
        "max_episode_steps": spec.max_steps,
        "scene_name": spec.scene,
        "rgb_overlay_path": spec.overlay,
    }
    if spec.urdf_version:
        kwargs["urdf_version"] = spec.urdf_version
    if spec.shader != "default":
        kwargs["shader_dir"] = next(word for word, shader in SHADERS.items() if shader == spec.shader)
    if spec.disable_bad_material:
        kwargs["disable_bad_material"] = True
    return kwargs


def _family_keywords(env_id: str, task: TaskBase, setup: Setup) -> dict[str, JsonValue]:
    """Keywords of its family that make an environment build ``setup``: the inverse of ``read_keywords``."""
    home = task if env_id in task.envs else load_task(task_of_env(env_id))
    base, table = home.envs[env_id].applied_to(home.setup), FAMILIES[home.family].keywords
    kwargs: dict[str, JsonValue] = {}
    by_flag: set[str] = set()
    for flags, field in ((table.orientation_flags, "orientation"), (table.lighting_flags, "lighting")):
        value = getattr(setup, field)
        set_flags = [flag for flag, means in flags.items() if means == value and value != getattr(base, field)]
        if set_flags:
            kwargs |= dict.fromkeys(set_flags, True)
            by_flag.add(field)
    for keyword, field in table.renamed.items():
        value, built = getattr(setup, field), getattr(base, field)
        if field == "targets":
            value, built = task.target_choices(setup), home.target_choices(base)
        if value != built and field not in by_flag:
            kwargs[keyword] = _as_keyword(table, field, value)
    return kwargs


def _as_keyword(table: KeywordTable, field: str, value: JsonValue | tuple[str, ...]) -> JsonValue:
    """Value of a setup's field in the original's words."""
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else list(value)
    modes = {name: mode for mode, name in table.light_modes.items()} if field == "lighting" else {}
    return modes.get(value, value) if isinstance(value, str) else value
