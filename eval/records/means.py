"""The means that one sentence may say: over the tasks of one robot in one setting, as published tables average them.

Tasks count the same, however many episodes each has, and robots and settings are never put together: SimplerEnv's tables
have no number for both.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.episode import EpisodeSpec
from eval.records.aggregation import Row, counts, rate_rows, specs_of
from eval.records.cells import cells
from eval.records.independence import independent
from eval.records.results import EpisodeRecord, Records, by_episode
from eval.records.states import state_of
from eval.records.tallies import Judge, macro_mean, rate_interval, tally_variants
from eval.statistics.bootstrap import macro_interval
from eval.statistics.intervals import Interval

ROBOTS = {"google": "Google Robot", "widowx": "WidowX"}
"""First word of a robot's name -> what papers call the robot."""


@dataclass(frozen=True)
class TaskRate:
    """A task: a column of a published table, or a task that has none."""

    title: str
    """How tables head it."""
    name: str
    """Of the task itself; of a column of several tasks its title."""
    rate: float
    """0..1, over what has a verdict: the mean of its sub-cells (can orientations, ...), each the mean of its variants."""
    parts: tuple[tuple[EpisodeSpec, ...], ...]
    """Episodes of each sub-cell."""


@dataclass(frozen=True)
class TaskMean:
    """The mean over the tasks of one robot in one setting."""

    robot: str
    setting: str
    tasks: tuple[TaskRate, ...]
    interval: Interval
    """95 %; of several tasks a bootstrap over the initial states of each, of one as in its table."""

    @property
    def rate(self) -> float:
        """0..1."""
        return float(np.mean([task.rate for task in self.tasks]))


def task_means(plan: Sequence[EpisodeSpec], records: Records, judge: Judge, repeats: int = 1) -> list[TaskMean]:
    """A mean a robot and setting, in the order of the plan; tasks without any verdict are in none."""
    played = by_episode(records)
    groups: dict[tuple[str, str], list[TaskRate]] = {}
    for task in _tasks(plan, records, judge, repeats):
        spec = task.parts[0][0]
        groups.setdefault((_robot(spec.robot), spec.setting), []).append(task)
    means = [TaskMean(*place, tuple(tasks), _interval(tasks, played, judge, repeats)) for place, tasks in groups.items()]
    order = list(dict.fromkeys((_robot(spec.robot), spec.setting) for spec in plan))
    return sorted(means, key=lambda mean: order.index((mean.robot, mean.setting)))


def _robot(name: str) -> str:
    return ROBOTS.get(name.split("_")[0], name)


def _tasks(plan: Sequence[EpisodeSpec], records: Records, judge: Judge, repeats: int) -> list[TaskRate]:
    """Columns of published tables first, then tasks of which none has an episode."""
    rows = rate_rows(plan, records, True, judge=judge, repeats=repeats)
    tasks: list[TaskRate] = []
    known: set[tuple[str, str]] = set()
    for row in rows:
        if row.kind == "cell":
            mine = specs_of(row, plan)
            known.update((spec.task, spec.setting) for spec in mine)
            names = cells().sub_cells_of(row.name)
            shown = [one for one in rows if one.kind == "sub-cell" and one.setting == row.setting and one.name in names]
            parts = [specs_of(one, plan) for one in shown] or [mine]
            if row.rate is not None:
                own = dict.fromkeys(spec.task for spec in mine)
                title = _title(row, shown)
                name = next(iter(own)) if len(own) == 1 else title
                tasks.append(TaskRate(title, name, row.rate, tuple(map(tuple, parts))))
    others: dict[tuple[str, str], list[EpisodeSpec]] = {}
    for spec in plan:
        if (spec.task, spec.setting) not in known:
            others.setdefault((spec.task, spec.setting), []).append(spec)
    for (task, _), specs in others.items():
        counted = [spec for spec in specs if counts((spec.task, spec.setting, spec.variant))] or specs
        rate = macro_mean(tally_variants(counted, records, judge, repeats).values(), partial=True)
        if rate is not None:
            tasks.append(TaskRate(task, task, rate, (tuple(counted),)))
    return tasks


def _title(cell: Row, parts: Sequence[Row]) -> str:
    """What is said of a cell: its name only if the plan has all of it."""
    if not cell.absent:
        return cell.title
    return parts[0].title if len(parts) == 1 and not parts[0].absent else f"{cell.title} in part"


def _interval(tasks: Sequence[TaskRate], played: Mapping[str, Sequence[EpisodeRecord]], judge: Judge, repeats: int) -> Interval:
    if len(tasks) == 1:
        (task,) = tasks
        alone = independent([spec for part in task.parts for spec in part], played, judge, repeats)
        return Interval(*(rate_interval(task.rate, alone) or (0.0, 1.0)))
    strata, weights = [], []
    for task in tasks:
        for part in task.parts:
            states: dict[Hashable, list[float]] = {}
            for spec in part:
                ends = [float(judge(record)) for record in played.get(spec.id, ()) if record.status != "errored"]
                if ends:
                    states.setdefault(state_of(spec), []).extend(ends)
            strata.append([float(np.mean(ends)) for ends in states.values()])
            weights.append(1 / len(task.parts))
    return macro_interval(strata, weights)
