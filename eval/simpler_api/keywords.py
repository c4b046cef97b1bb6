"""Constructor keywords of the original, task family by family, as a setup."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from eval.errors import UserError, did_you_mean
from task_configs import GraspTask, Setup, Task, lights, robots, scenes
from task_configs.loader import STATIONS
from task_configs.schema.parsing import parse

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
DARKER_OR_BRIGHTER = {
    "original_lighting": "original",
    "slightly_darker_lighting": "slightly_darker",
    "slightly_brighter_lighting": "slightly_brighter",
    "ambient_only_lighting": "ambient_only",
}


@dataclass(frozen=True)
class Words:
    """What one family understands beyond ``RENAMED``."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    """Keyword -> field."""
    orientation_flags: Mapping[str, str] = field(default_factory=dict)
    lighting_flags: Mapping[str, str] = field(default_factory=dict)
    """Boolean keyword -> value of the field; the first of them that is set decides."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Keyword -> the one value that is built: others would change the rules."""
    prepackaged_keeps: frozenset[str] = frozenset({"max_steps"})
    """Fields that the caller may still choose in the prepackaged setting; it overwrites the rest."""

    def all(self) -> list[str]:
        """Every keyword, for suggestions."""
        return [*RENAMED, *self.renamed, *self.orientation_flags, *self.lighting_flags, *self.fixed]


CABINET = {
    "station_name": "station",
    "light_mode": "lighting",
    "camera_mode": "view",
    "cabinet_joint_friction": "joint_friction",
}
WORDS: Mapping[str, Words] = {
    "grasp": Words(
        {"distractor_config": "distractors", "density": "target_density", "model_ids": "targets"},
        {name: name for name in ("upright", "laid_vertically", "lr_switch")},
        {
            "slightly_brighter_lighting": "slightly_brighter",
            "slightly_darker_lighting": "slightly_darker",
            "darker_lighting": "darker",
        },
        {"require_lifting_obj_for_success": True, "success_from_episode_stats": True},
        frozenset({"orientation", "distractors", "lighting", "max_steps", "target_density"}),
    ),
    "move_near": Words(
        {"no_distractor": "no_distractor", "light_mode": "lighting"},
        lighting_flags=DARKER_OR_BRIGHTER,
        prepackaged_keeps=frozenset({"no_distractor", "lighting", "max_steps"}),
    ),
    "put_on": Words(
        lighting_flags=DARKER_OR_BRIGHTER,
        prepackaged_keeps=frozenset({"lighting", "max_steps"}),
    ),
    "drawer": Words(CABINET),
    "place": Words(
        {**CABINET, "model_ids": "targets"},
        fixed={"force_advance_subtask_time_steps": 100},
        prepackaged_keeps=frozenset({"targets", "max_steps"}),
    ),
}
MODES = {"simple": "ambient_only", "simple2": "simple2"}
"""Light modes of moving near; another one gives the default light."""


NOUNS = {"robot": "Robot", "scene_name": "Scene", "station_name": "Station"}


class NotSupported(UserError):
    """An environment or keyword of the original that is not built."""


def read_keywords(task: Task, env_id: str, kwargs: Mapping[str, Any]) -> Setup:
    """Setup of an environment made with these keywords. Raises NotSupported for keywords and values not built."""
    words = WORDS[task.family]
    left = {key: value for key, value in kwargs.items() if key not in IGNORED}
    choice = task.envs[env_id]
    base = choice.applied_to(task.setup)
    changes: dict[str, Any] = {}
    changes |= _flags(left, words.orientation_flags, "orientation")
    changes |= _flags(left, words.lighting_flags, "lighting")
    for names in (RENAMED, words.renamed):
        changes |= {names[key]: left.pop(key) for key in list(left) if key in names}
    for key, value in words.fixed.items():
        if left.pop(key, value) != value:
            raise NotSupported(f"{key} of {env_id} is built for {value} only.")
    urdf_version = left.pop("urdf_version", None)
    changes["urdf_version"] = "" if urdf_version in (None, "None") else urdf_version
    changes["overlay"] = left.pop("rgb_overlay_path", None)
    changes["shader"] = _known("shader_dir", left.pop("shader_dir", "ibl"), SHADERS)
    changes["shader"] = SHADERS[changes["shader"]]
    prepackaged = left.pop("prepackaged_config", False)
    if left:
        key = next(iter(left))
        raise NotSupported(f'Keyword "{key}" of {env_id} is not built.{did_you_mean(key, words.all())}')
    _translate(task, choice.targets is not None, changes)
    if prepackaged:
        kept = {key: value for key, value in changes.items() if key in words.prepackaged_keeps}
        return _parsed(task.settings["prepackaged"].setup.applied_to(base), kept)
    robot = _known("robot", changes.get("robot") or base.robot, robots())
    scene = changes.get("scene") or robots()[robot].default_scene
    changes |= {"robot": robot, "scene": _known("scene_name", scene, scenes())}
    # Outside the prepackaged setting the original places the robot from the options or the generator alone, but for the
    # one class that sends it away.
    return _parsed(base, changes | {"robot_xy": choice.robot_xy, "robot_quat": None})


def _translate(task: Task, leaf: bool, changes: dict[str, Any]) -> None:
    """Values of the original's keywords as values of a setup, in place; ``leaf``: the class has a model of its own."""
    if "lighting" in changes:
        mode = changes["lighting"]
        if task.family == "move_near":
            mode = MODES.get(mode, mode)
        changes["lighting"] = mode if mode in lights(task.lights) else "default"  # an unknown mode is no error there
    if "view" in changes:
        changes["view"] = changes["view"] or "default"
        _known("camera_mode", changes["view"], ("default", "variant"))
    if changes.get("distractors") is not None:
        _known("distractor_config", changes["distractors"], task.distractor_sets if isinstance(task, GraspTask) else ())
    if changes.get("station") is not None:
        _known("station_name", changes["station"], STATIONS)
    if "targets" in changes:
        models = changes.pop("targets") or ()
        models = [models] if isinstance(models, str) else list(models)
        if models and not leaf and not (isinstance(task, GraspTask) and len(task.targets) == 1):
            changes["targets"] = models


def _known(keyword: str, value: Any, known: Collection[str]) -> str:
    if value not in known:
        raise NotSupported(f'{NOUNS.get(keyword, keyword)} "{value}" is not built.{did_you_mean(str(value), known)}')
    return str(value)


def _parsed(setup: Setup, changes: Mapping[str, Any]) -> Setup:
    return parse(Setup, setup.model_dump(mode="json") | dict(changes), "environment keywords")


def _flags(left: dict[str, Any], flags: Mapping[str, str], name: str) -> dict[str, str]:
    """Takes the boolean keywords out of ``left``; the first that is set decides the field."""
    given = [flag for flag in flags if left.pop(flag, False)]
    return {name: flags[given[0]]} if given else {}
