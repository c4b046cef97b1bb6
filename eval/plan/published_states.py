"""The published initial states of tasks: those of their sweeps, and the seeded scenes that a plan plays by default."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from eval.episode import EpisodeSpec, Vec2
from eval.errors import UserError
from eval.plan.axes import PlannedEpisode, built, planned_episodes
from eval.plan.layouts import Layout, distances, layout_of
from eval.tasks.base import TaskBase
from eval.tasks.loading import load_task
from eval.tasks.user_tasks import built_in_tasks
from task_configs.schema.tasks import Episodes, Setup, Variant


class Published(NamedTuple):
    """A published initial state, as far as placements are concerned."""

    setting: str
    layout: Layout
    gridded: bool
    """Whether it is of a grid or a table of placements; else a seed sampled it."""


def published_of(task_name: str) -> tuple[Published, ...]:
    """The published initial states of a task in all its settings, each once. Raises UserError for an unknown task."""
    task = load_task(task_name)
    known = _KNOWN.get(task_name)
    if known is None or known[0] is not task:  # a file of the user's may have changed
        known = _KNOWN[task_name] = task, tuple(_published(task_name, task))
    return known[1]


_KNOWN: dict[str, tuple[TaskBase, tuple[Published, ...]]] = {}


def _published(task_name: str, task: TaskBase) -> Iterator[Published]:
    found: set[object] = set()
    for setting, config in task.settings.items():
        gridded = config.episodes.seeds is None or task.placements > 0
        for variant in _differently_placed(task.variants(setting)):
            new: dict[object, PlannedEpisode] = {}
            for episode in published_episodes(task_name, setting, variant):
                place = *placing(episode.setup), *episode.objects.items(), None if gridded else episode.seed
                if place not in found:
                    new[place] = episode
            found |= new.keys()
            yield from (Published(setting, layout_of(spec), gridded) for spec in built(new.values()))


def published_episodes(task_name: str, setting: str, variant: Variant) -> list[PlannedEpisode]:
    """The published episodes of a variant; of seeded scenes that choose from a table of placements, those of the table."""
    task = load_task(task_name)
    episodes = task.settings[setting].episodes
    if episodes.seeds is not None and task.placements:
        episodes = Episodes(ids=task.placements)
    return planned_episodes(task_name, setting, [variant], episodes, 0)


def placing(setup: Setup) -> tuple[object, ...]:
    """What of a setup decides where things stand; the rest is colours, light and the like."""
    return setup.robot, setup.robot_xy, setup.robot_quat, setup.place_choices, setup.no_distractor


def _differently_placed(variants: Sequence[Variant]) -> Iterable[Variant]:
    return {placing(variant.setup): variant for variant in variants}.values()


def kin(family: str, robot: str) -> tuple[str, ...]:
    """Tasks that come with the package, of one family and one robot's family."""
    tasks = {name: load_task(name) for name in sorted(built_in_tasks())}
    return tuple(name for name, task in tasks.items() if task.family == family and arm(task.setup.robot) == arm(robot))


def arm(robot: str) -> str:
    """``google_robot`` or ``widowx``, as ``EpisodeSpec.robot_family``."""
    return "google_robot" if "google_robot" in robot else "widowx"


def nearest_published(spec: EpisodeSpec) -> float:
    """m, :func:`eval.plan.layouts.distance` to the nearest published initial state of the episode's family and robot.

    All settings count, of all tasks that come with the package and of the episode's own. Infinite where nothing is published.
    """
    names = {*kin(spec.rule.family, spec.robot), spec.task}
    layouts = [published.layout for name in sorted(names) for published in _if_known(name)]
    return float(distances(layout_of(spec), layouts).min()) if layouts else math.inf


def _if_known(task_name: str) -> tuple[Published, ...]:
    """Of a task that may be unknown here, as that of a run from elsewhere."""
    try:
        return published_of(task_name)
    except UserError:
        return ()


def spacing(positions: Iterable[Vec2]) -> float | None:
    """m, between the two nearest of some positions; None for fewer than two."""
    ways = (round(math.dist(a, b), 9) for a, b in itertools.combinations(sorted(set(positions)), 2))
    return min(ways, default=None)
