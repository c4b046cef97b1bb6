"""The resets that a sweep is made of, in its order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.simpler_api.seeds import FRESH_ENVIRONMENT_SEED
from task_configs import Setup, robot_places
from task_configs.schema.tasks import Episodes


@dataclass(frozen=True)
class SweepReset:
    """One episode of a variant before anything is drawn."""

    index: int
    """Number of the episode within its variant; of a seeded random scene its seed."""
    seed: int
    """Episode seed."""
    setup: Setup
    """The variant's, with the robot's place."""
    objects: Mapping[str, Any]
    """What the original's scripts give as ``obj_init_options``: ``init_xy`` [m] or ``episode_id``, or nothing."""


def resets_of(setup: Setup, episodes: Episodes, first_seed: int = 0) -> list[SweepReset]:
    """All of a variant: seeds; or a grid of positions or a table of placements, per place of the robot."""
    if episodes.seeds is not None:  # filed by seed, so that the same scene has the same id in every range
        seeds = range(first_seed, first_seed + episodes.seeds)
        return [SweepReset(number, number, setup, {}) for number in seeds]
    targets: list[dict[str, Any]] = [{}]
    if episodes.ids is not None:
        targets = [{"episode_id": index} for index in range(episodes.ids)]
    elif episodes.x is not None and episodes.y is not None:
        targets = [{"init_xy": (float(x), float(y))} for x in np.linspace(*episodes.x) for y in np.linspace(*episodes.y)]
    seen = [(place, target) for place in episodes.robot_setups(setup, robot_places()) for target in targets]
    return [SweepReset(index, FRESH_ENVIRONMENT_SEED, place, target) for index, (place, target) in enumerate(seen)]
