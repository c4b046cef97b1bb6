"""From a setting of a task to its variants, from a variant to its resets, from a reset to an episode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from eval.episode import EpisodeSpec, Vec2
from eval.errors import UserError, did_you_mean
from eval.simpler_api.reset_args import environment_of, simpler_reset
from eval.simpler_api.seeds import FRESH_ENVIRONMENT_SEED
from eval.tasks.build import build_spec
from eval.tasks.loading import load_task
from eval.tasks.reset_options import read_options
from task_configs.schema.tables import robot_places
from task_configs.schema.tasks import Episodes, Setup, Variant


@dataclass(frozen=True)
class SweepReset:
    """One episode of a variant before anything is sampled."""

    index: int
    """Number of the episode within its variant; of a seeded random scene its seed."""
    seed: int
    """Episode seed."""
    setup: Setup
    """The variant's, with the robot's place."""
    objects: Mapping[str, Vec2 | int]
    """The original's ``obj_init_options``: ``init_xy`` [m] or ``episode_id``, or nothing."""


def matching_variants(task_name: str, setting: str, patterns: Sequence[str]) -> list[Variant]:
    """Variants of a setting that match one of the name patterns. Raises UserError for a pattern that matches none."""
    variants = load_task(task_name).variants(setting)
    names = [variant.name for variant in variants]
    for pattern in patterns:  # each must match: a misspelt one among others would quietly shrink the plan
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(f"No variant of {task_name} matches {pattern!r}.{did_you_mean(pattern, names)}")
    return [variant for variant in variants if any(fnmatchcase(variant.name, pattern) for pattern in patterns)]


def resets_of(setup: Setup, episodes: Episodes, first_seed: int = 0) -> list[SweepReset]:
    """All of a variant: seeds; or a grid of positions or a table of placements, per place of the robot."""
    if episodes.seeds is not None:  # filed by seed, so that the same scene has the same id in every range
        seeds = range(first_seed, first_seed + episodes.seeds)
        return [SweepReset(number, number, setup, {}) for number in seeds]
    targets: list[Mapping[str, Vec2 | int]] = [{}]
    if episodes.ids is not None:
        targets = [{"episode_id": index} for index in range(episodes.ids)]
    elif episodes.x is not None and episodes.y is not None:
        targets = [{"init_xy": (float(x), float(y))} for x in np.linspace(*episodes.x) for y in np.linspace(*episodes.y)]
    seen = [(place, target) for place in episodes.robot_setups(setup, robot_places()) for target in targets]
    return [SweepReset(index, FRESH_ENVIRONMENT_SEED, place, target) for index, (place, target) in enumerate(seen)]


def episodes_of(task_name: str, setting: str, variant: Variant, episodes: Episodes, first_seed: int) -> Iterator[EpisodeSpec]:
    """The episodes of one variant, each with the way in which the original begins it.

    Args:
        task_name, setting: how the episodes are filed.
        variant: its setup is what the world is built with.
        episodes: which resets the variant consists of.
        first_seed: of seeded random scenes.
    """
    environment = environment_of(task_name, setting, variant.setup)
    for reset in resets_of(variant.setup, episodes, first_seed):
        options = read_options({"obj_init_options": reset.objects})
        filing = {"setting": setting, "variant": variant.name}
        spec = build_spec(task_name, reset.setup, reset.seed, options, index=reset.index, **filing)
        if environment is not None:
            spec = spec.model_copy(update={"simpler_reset": simpler_reset(environment, spec, reset.objects)})
        yield spec
