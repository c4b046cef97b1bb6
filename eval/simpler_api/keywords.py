"""Constructor keywords of the original, read with the family's table as a setup."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from eval.errors import UserError, did_you_mean
from eval.tasks.base import KeywordTable, TaskBase
from eval.tasks.families import FAMILIES
from task_configs.schema.parsing import parse
from task_configs.schema.tables import lights, robots, scenes
from task_configs.schema.tasks import Choice, Setup

IGNORED = frozenset(
    {"obs_mode", "control_mode", "reward_mode", "camera_cfgs", "rgb_overlay_cameras", "rgb_overlay_mode", "render_mode"}
)
"""Keywords that change neither the start nor the rules of an episode."""
SHADERS = {"ibl": "default", "rt": "rt"}
RENAMED = {
    "robot": "robot",
    "scene_name": "scene",
    "sim_freq": "sim_freq",
    "control_freq": "control_freq",
    "max_episode_steps": "max_steps",
    "disable_bad_material": "disable_bad_material",
}
"""Keyword of the original -> field of a setup, in every family."""
NOUNS = {"robot": "Robot", "scene_name": "Scene", "station_name": "Station"}


class NotSupported(UserError):
    """An environment or keyword of the original that is not built."""


def read_keywords(task: TaskBase, env_id: str, kwargs: Mapping[str, object]) -> Setup:
    """Setup of an environment made with these keywords. Raises NotSupported for keywords and values not built."""
    table = FAMILIES[task.family].keywords
    left = {key: value for key, value in kwargs.items() if key not in IGNORED}
    choice = task.envs[env_id]
    base = choice.applied_to(task.setup)
    changes: dict[str, object] = {}
    changes |= _flags(left, table.orientation_flags, "orientation")
    changes |= _flags(left, table.lighting_flags, "lighting")
    for names in (RENAMED, table.renamed):
        changes |= {names[key]: left.pop(key) for key in list(left) if key in names}
    for key, value in table.fixed.items():
        if left.pop(key, value) != value:
            raise NotSupported(f"{key} of {env_id} is built for {value} only.")
    urdf_version = left.pop("urdf_version", None)
    changes["urdf_version"] = "" if urdf_version in (None, "None") else urdf_version
    changes["overlay"] = left.pop("rgb_overlay_path", None)
    changes["shader"] = SHADERS[_known("shader_dir", left.pop("shader_dir", "ibl"), SHADERS)]
    prepackaged = left.pop("prepackaged_config", False)
    if left:
        key = next(iter(left))
        raise NotSupported(f'Keyword "{key}" of {env_id} is not built.{did_you_mean(key, _all_keywords(table))}')
    _translate(task, choice, changes)
    if prepackaged:
        kept = {key: value for key, value in changes.items() if key in table.prepackaged_keeps}
        return _parsed(task.settings["prepackaged"].setup.applied_to(base), kept)
    robot = _known("robot", changes.get("robot") or base.robot, robots())
    scene = changes.get("scene") or robots()[robot].default_scene
    changes |= {"robot": robot, "scene": _known("scene_name", scene, scenes())}
    # Outside the prepackaged setting the original places the robot from the options or the generator alone, but for the
    # one class that sends it away.
    return _parsed(base, changes | {"robot_xy": choice.robot_xy, "robot_quat": None})


def overwritten(task: TaskBase, env_id: str, kwargs: Mapping[str, object]) -> list[str]:
    """Keywords of ``kwargs`` in whose place the prepackaged setting has values of its own."""
    if not kwargs.get("prepackaged_config", False):
        return []
    table = FAMILIES[task.family].keywords
    flags = dict.fromkeys(table.orientation_flags, "orientation") | dict.fromkeys(table.lighting_flags, "lighting")
    fields = {**RENAMED, **table.renamed, **flags, "urdf_version": "urdf_version", "rgb_overlay_path": "overlay"}
    setup = read_keywords(task, env_id, kwargs)
    given = [key for key, value in kwargs.items() if key in fields and value is not None and value is not False]
    replaced = [key for key in given if fields[key] not in table.prepackaged_keeps]
    return [key for key in replaced if getattr(setup, fields[key]) != kwargs[key]]


def _translate(task: TaskBase, choice: Choice, changes: dict[str, object]) -> None:
    """Values of the original's keywords as values of a setup, in place; ``choice``: what the environment's class fixes."""
    if "lighting" in changes:
        mode = str(changes["lighting"])
        mode = FAMILIES[task.family].keywords.light_modes.get(mode, mode)
        changes["lighting"] = mode if mode in lights(task.lights) else "default"  # an unknown mode is no error there
    if "view" in changes:
        changes["view"] = _known("camera_mode", changes["view"] or "default", ("default", "variant"))
    for field, keyword in (("distractors", "distractor_config"), ("station", "station_name")):
        if changes.get(field) is not None:
            _known(keyword, changes[field], task.known_names.get(field, ()))
    if "targets" in changes:
        given = changes.pop("targets") or ()
        models = list(given) if isinstance(given, Collection) and not isinstance(given, str) else [given]
        # Classes with a model of their own look at no other.
        if models and choice.targets is None and len(task.target_choices(task.setup)) > 1:
            changes["targets"] = models


def _all_keywords(table: KeywordTable) -> list[str]:
    """Every keyword of a family, for suggestions."""
    return [*RENAMED, *table.renamed, *table.orientation_flags, *table.lighting_flags, *table.fixed]


def _known(keyword: str, value: object, known: Collection[str]) -> str:
    if value not in known:
        raise NotSupported(f'{NOUNS.get(keyword, keyword)} "{value}" is not built.{did_you_mean(str(value), known)}')
    return str(value)


def _parsed(setup: Setup, changes: Mapping[str, object]) -> Setup:
    return parse(Setup, setup.model_dump(mode="json") | dict(changes), "environment keywords")


def _flags(left: dict[str, object], flags: Mapping[str, str], name: str) -> dict[str, str]:
    """Takes the boolean keywords out of ``left``; the first that is set decides the field."""
    given = [flag for flag in flags if left.pop(flag, False)]
    return {name: flags[given[0]]} if given else {}
