"""Which episodes are initial states that policies are tested on: whoever trains on these measures what is known by heart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.nouns import counted, noun
from eval.plan.layouts import layout_of
from eval.plan.placements import MOST_GAP, least_distance
from eval.plan.published_states import arm, nearest_published

ROUNDING = 1e-9
"""m."""


@dataclass(frozen=True)
class Leakage:
    """What of a plan is tested on."""

    episodes: int
    """Of the plan."""
    by_set: dict[str, int]
    """Set of placements, ``published`` or ``heldout`` -> how many episodes."""
    near: int
    """Episodes of ``train`` that are nearer to a published one than that set keeps."""
    nearest: float
    """m, of any episode to the nearest published one; infinite where nothing is published."""

    @property
    def any(self) -> bool:
        """Whether there are such episodes."""
        return bool(self.by_set or self.near)

    def __str__(self) -> str:
        parts = [
            f"{count} of {counted(self.episodes, 'episode')} {noun(count, 'is', 'are')} {name} placements"
            for name, count in self.by_set.items()
        ]
        if self.near:
            parts.append(
                f"{self.near} of {counted(self.episodes, 'episode')} {noun(self.near, 'is', 'are')} as near as "
                f"{1000 * self.nearest:.1f} mm to a published one"
            )
        return " and ".join(parts)


def leakage_of(plan: Sequence[EpisodeSpec]) -> Leakage:
    """Look at every episode: at the set that its id says it is of, and at where things stand in it."""
    by_set = Counter[str](spec.placements for spec in plan if spec.placements != "train")
    known: dict[object, float] = {}
    near, nearest = 0, math.inf
    for spec in plan:
        layout = layout_of(spec)
        place = spec.task, spec.rule.family, arm(spec.robot), layout.robot, *sorted(layout.objects.items())
        if place not in known:  # variants share their placements
            known[place] = nearest_published(spec)
        nearest = min(nearest, known[place])
        near += spec.placements == "train" and known[place] < _least(spec.task, spec.setting) - ROUNDING
    return Leakage(len(plan), dict(by_set), near, nearest)


def refuse_leakage(plan: Sequence[EpisodeSpec]) -> None:
    """Raises UserError if a policy that learns from these episodes would be tested on them."""
    if (leakage := leakage_of(plan)).any:
        raise UserError(
            f"{leakage}, on which policies are tested; what learns from them knows the answers. Give --placements train, or "
            "--allow-test-placements, which the dataset says of itself."
        )


def _least(task: str, setting: str) -> float:
    try:
        return least_distance(task, setting)
    except UserError:  # a task that is not known here, or one whose published states are all one
        return MOST_GAP
