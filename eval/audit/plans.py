"""Which episodes an audit plays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from eval.audit.playing import Plans
from eval.episode import EpisodeSpec
from eval.nouns import counted
from eval.plan.options import PlanOptions


def audit_plans(chosen: PlanOptions, count: int) -> Plans:
    """``count`` published and as many held-out episodes of each task.

    Raises UserError as :func:`eval.plan.suites.make_plan`.
    """
    some = chosen.model_copy(update={"limit": count})
    heldout = some.model_copy(update={"placements": "heldout"})
    return Plans(some.plan(), heldout.plan())


def fewer_than(published: Sequence[EpisodeSpec], count: int) -> list[str]:
    """A line a task that has fewer published episodes than were asked for."""
    return [
        f"{task} has {counted(episodes, 'published episode')}, fewer than --count {count}; all of them are played"
        for task, episodes in Counter(spec.task for spec in published).items()
        if episodes < count
    ]
