"""From a setting of a task to its variants, from a variant to its resets, from a reset to an episode.

A plan is chosen among :class:`PlannedEpisode`, which are cheap; only what was chosen is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from eval.episode import EpisodeSpec, PlacementSet, Vec2
from eval.errors import UserError, did_you_mean
from eval.simpler_api.reset_args import PREPACKAGED, Environment, environment_of, simpler_reset
from eval.simpler_api.seeds import FRESH_ENVIRONMENT_SEED
from eval.tasks.build import build_spec
from eval.tasks.loading import load_task
from eval.tasks.reset_options import read_options
from task_configs.schema.tables import robot_places
from task_configs.schema.tasks import Episodes, Setup, Variant

MOST_EPISODES = 100_000
"""Of one setting; nine times all that SIMPLER has."""
SEEDS = 2**32
"""What numpy's generators take."""


@dataclass(frozen=True, slots=True)
class PlannedEpisode:
    """An episode before anything is sampled: what it is filed under, and what its spec follows from."""

    task: str
    setting: str
    variant: str
    index: int
    """Number of the episode within its variant; of a seeded random scene its seed."""
    seed: int
    """Episode seed."""
    variant_setup: Setup
    setup: Setup
    """The variant's, with the robot's place."""
    objects: Mapping[str, Vec2 | int]
    """The original's ``obj_init_options``: ``init_xy`` [m] or ``episode_id``, or nothing."""
    placements: PlacementSet = "published"
    moved: Mapping[str, Vec2] = field(default_factory=dict)
    """World position [m] by role, of objects that stand elsewhere than the original's options can say."""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Within one plan, episodes of the same key are the same."""
        return self.task, self.setting, self.variant, self.index

    @property
    def max_steps(self) -> int:
        """Step limit."""
        return self.setup.max_steps or load_task(self.task).max_steps


def matching_variants(task_name: str, setting: str, patterns: Sequence[str]) -> list[Variant]:
    """Variants of a setting that match one of the name patterns. Raises UserError for a pattern that matches none."""
    variants = load_task(task_name).variants(setting)
    names = [variant.name for variant in variants]
    for pattern in patterns:  # each must match: a misspelt one among others would quietly shrink the plan
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(f"No variant of {task_name} matches {pattern!r}.{did_you_mean(pattern, names)}")
    return [variant for variant in variants if any(fnmatchcase(variant.name, pattern) for pattern in patterns)]


def planned_episodes(
    task_name: str, setting: str, variants: Sequence[Variant], episodes: Episodes, first_seed: int
) -> list[PlannedEpisode]:
    """All episodes of some variants, variant by variant.

    Args:
        task_name, setting: how the episodes are filed.
        variants: their setups are what the world is built with.
        episodes: which resets a variant consists of.
        first_seed: of seeded random scenes.

    Raises:
        UserError: there are too many, or their seeds leave the range of the generators.
    """
    count = len(variants) * episodes.count
    if count > MOST_EPISODES:
        raise UserError(f"{task_name}, {setting}: {count:,} episodes are too many for one plan (at most {MOST_EPISODES:,}).")
    if episodes.seeds is not None and first_seed + episodes.seeds > SEEDS:
        last = first_seed + episodes.seeds - 1
        raise UserError(f"Seeds {first_seed} to {last} leave the range; the last one may be {SEEDS - 1} (2**32 - 1).")
    return [
        PlannedEpisode(task_name, setting, variant.name, index, seed, variant.setup, setup, objects)
        for variant in variants
        for index, seed, setup, objects in _resets(variant.setup, episodes, first_seed)
    ]


def _resets(setup: Setup, episodes: Episodes, first_seed: int) -> Iterator[tuple[int, int, Setup, Mapping[str, Vec2 | int]]]:
    """Index, seed, setup and objects: of seeds; or of a grid of positions or a table of placements, per place of the robot."""
    if episodes.seeds is not None:  # filed by seed, so that the same scene has the same id in every range
        for number in range(first_seed, first_seed + episodes.seeds):
            yield number, number, setup, {}
        return
    targets: list[Mapping[str, Vec2 | int]] = [{}]
    if episodes.ids is not None:
        targets = [{"episode_id": index} for index in range(episodes.ids)]
    elif episodes.x is not None and episodes.y is not None:
        targets = [{"init_xy": (float(x), float(y))} for x in np.linspace(*episodes.x) for y in np.linspace(*episodes.y)]
    seen = [(place, target) for place in episodes.robot_setups(setup, robot_places()) for target in targets]
    for index, (place, target) in enumerate(seen):
        yield index, FRESH_ENVIRONMENT_SEED, place, target


def built(chosen: Iterable[PlannedEpisode]) -> list[EpisodeSpec]:
    """The episodes themselves, each with the way in which the original begins it."""
    environments: dict[tuple[str, str, str], Environment | None] = {}
    specs = []
    for episode in chosen:
        cell = episode.task, episode.setting, episode.variant
        if cell not in environments:
            environments[cell] = environment_of(episode.task, episode.setting, episode.variant_setup)
        options = read_options({"obj_init_options": episode.objects})
        filing = {"setting": episode.setting, "variant": episode.variant}
        spec = build_spec(episode.task, episode.setup, episode.seed, options, index=episode.index, **filing)
        if episode.placements != "published":
            spec = _elsewhere(spec, episode)
            if episode.moved or episode.setting == PREPACKAGED:  # the original has no option that makes it
                specs.append(spec)
                continue
        if (environment := environments[cell]) is not None:
            spec = spec.model_copy(update={"simpler_reset": simpler_reset(environment, spec, episode.objects)})
        specs.append(spec)
    return specs


def _elsewhere(spec: EpisodeSpec, episode: PlannedEpisode) -> EpisodeSpec:
    """The episode with its objects where the plan has them."""
    moved = tuple(
        item.model_copy(update={"xy": episode.moved[item.role]}) if item.role in episode.moved else item
        for item in spec.objects
    )
    return spec.model_copy(update={"objects": moved, "placements": episode.placements})
