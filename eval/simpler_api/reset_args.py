"""An episode in the original's own words: what its scripts would build and how they would reset it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.plan.axes import SweepReset
from eval.simpler_api import SeedChain, resets_of, spec_from_reset, task_of_env
from eval.simpler_api.keywords import MODES, SHADERS, WORDS
from eval.simpler_api.names import ENVIRONMENT_MAP
from task_configs import Setup, Task, load_task, robots, task_names
from task_configs.schema.tasks import Episodes

FILING = ("task", "setting", "variant", "index")
"""Fields of an episode that say where it is filed, not what happens in it."""
NOWHERE = (0.0, 0.0)
"""``init_xy`` that the original's scripts give where there is no object to place."""


@dataclass(frozen=True)
class OriginalReset:
    """``gym.make(env_id, **kwargs)``, then ``reset(seed=seed, options=options)``; JSON values."""

    env_id: str
    kwargs: Mapping[str, Any]
    """Without ``obs_mode`` and ``camera_cfgs``, which depend on whether a picture is wanted. ``rgb_overlay_path`` is relative
    to the asset folder."""
    seed: int
    options: Mapping[str, Any]


def original_reset(spec: EpisodeSpec) -> OriginalReset:
    """How the original begins this episode.

    Raises UserError for an episode that the original does not have: one of the user's own tasks, or of a setting in
    which our world was told something that the original cannot be told.
    """
    if spec.task not in ENVIRONMENT_MAP:
        raise UserError(f"The original simulator has no task {spec.task}; play it in our own world, without --world.")
    found = _prepackaged(spec) if spec.setting == "prepackaged" else _of_sweep(spec)
    if found is None:
        raise UserError(
            f"The original simulator cannot be told to play {spec.task} {spec.setting} {spec.variant} #{spec.index}; "
            "play it in our own world, without --world."
        )
    return found


def _prepackaged(spec: EpisodeSpec) -> OriginalReset | None:
    env_id, own = ENVIRONMENT_MAP[spec.task]
    kwargs = {**own, "prepackaged_config": True, "max_episode_steps": spec.max_steps}
    reset = OriginalReset(env_id, kwargs, spec.seed, {})
    return reset if _is_same(reset, spec) else None


def _of_sweep(spec: EpisodeSpec) -> OriginalReset | None:
    """The first of the original's environments that begins exactly this episode."""
    setting = load_task(spec.task).settings.get(spec.setting)
    variants = {v.name: v for v in load_task(spec.task).variants(spec.setting)} if setting else {}
    if setting is None or spec.variant not in variants:
        return None
    resets = _resets(variants[spec.variant].setup, setting.episodes)
    if spec.index >= len(resets):
        return None
    reset = resets[spec.index]
    options = _options(spec, reset)
    for env_id, more in _candidates(spec.task, reset.setup):
        found = OriginalReset(env_id, _common_keywords(spec) | more, spec.seed, options)
        if _is_same(found, spec):
            return found
    return None


@cache
def _resets(setup: Setup, episodes: Episodes) -> list[SweepReset]:
    return resets_of(setup, episodes)


@cache
def _candidates(task: str, setup: Setup) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Environments of the original that may be this task, with the keywords they need, the most specific first.

    The original's classes refuse keywords that they have no use for, so an environment that is already as wanted comes
    before one that must be told, and one that sets the same field before one that leaves it alone.
    """
    packaged = ENVIRONMENT_MAP[task][0]
    family = [other for other in task_names() if load_task(other).family == load_task(task).family and other in ENVIRONMENT_MAP]
    names = [*load_task(task).envs, packaged, *(env for other in family for env in load_task(other).envs)]
    ranked = []
    for env_id in dict.fromkeys(names):
        kwargs, foreign = _own_keywords(env_id, load_task(task), setup)
        ranked.append((len(kwargs) + foreign, foreign, env_id, kwargs))
    ranked.sort(key=lambda item: item[:2])
    return tuple((env_id, kwargs) for _, _, env_id, kwargs in ranked)


def _own_keywords(env_id: str, task: Task, setup: Setup) -> tuple[dict[str, Any], int]:
    """Keywords of its family that make an environment ``setup`` (the inverse of ``eval.simpler_api.keywords``), and how many
    of them set what the environment's class does not set."""
    home = load_task(task_of_env(env_id))
    choice = home.envs[env_id]
    base, words = choice.applied_to(home.setup), WORDS[home.family]
    kwargs: dict[str, Any] = {}
    done: set[str] = set()
    foreign = int(_drawers(task, setup) != _drawers(home, base))  # else one drawn at random, right by luck only
    for flags, field in ((words.orientation_flags, "orientation"), (words.lighting_flags, "lighting")):
        wanted = getattr(setup, field)
        told = {flag: True for flag, value in flags.items() if value == wanted and wanted != getattr(base, field)}
        kwargs |= told
        done |= {field} if told else set()
    for word, field in words.renamed.items():
        wanted, given = getattr(setup, field), getattr(base, field)
        if field == "targets":
            wanted, given = _targets(task, setup), _targets(home, base)
        if wanted != given and field not in done:
            kwargs[word] = _as_word(home, field, wanted)
            foreign += field not in choice.model_fields_set
    return kwargs, foreign


def _targets(task: Task, setup: Setup) -> tuple[str, ...]:
    return tuple(setup.targets or getattr(task, "targets", None) or ())


def _drawers(task: Task, setup: Setup) -> tuple[str, ...]:
    return (setup.drawer,) if setup.drawer else tuple(getattr(task, "drawers", ()))


def _as_word(task: Task, field: str, value: Any) -> Any:
    if field == "lighting" and task.family == "move_near":
        return next((mode for mode, name in MODES.items() if name == value), value)
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else list(value)
    return value


def _common_keywords(spec: EpisodeSpec) -> dict[str, Any]:
    kwargs: dict[str, Any] = {
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


def _options(spec: EpisodeSpec, reset: SweepReset) -> dict[str, Any]:
    return {
        "robot_init_options": {"init_xy": list(spec.robot_xy), "init_rot_quat": list(spec.robot_quat)},
        "obj_init_options": {key: list(v) if isinstance(v, tuple) else v for key, v in reset.objects.items()}
        or {"init_xy": list(NOWHERE)},
    }


def _is_same(reset: OriginalReset, spec: EpisodeSpec) -> bool:
    """Whether the words, read as the original reads them, mean the episode."""
    try:
        read = spec_from_reset(reset.env_id, reset.kwargs, reset.seed, reset.options, SeedChain())
    except UserError:
        return False
    return read.model_dump(exclude=set(FILING)) == spec.model_dump(exclude=set(FILING))
