"""Success rates by the original's rule, written once: everything is a plain mean of means.

A variant's rate is that of its episodes. A sub-cell (horizontal can, open drawer) is the mean of its variants' rates, a
cell of a published table the mean of its sub-cells, an average the mean of its cells. Variants that do not count in the
published average (other cameras) are left out. What the layout is made of stands in ``task_configs/published/cells.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from typing import Literal

import numpy as np

from eval.episode import EpisodeSpec
from eval.records.cells import Average, Source, cells
from eval.records.results import EpisodeRecord, Records, by_episode
from eval.records.stats import wilson
from eval.tasks.loading import load_task, task_names

Key = tuple[str, str, str]
"""Task, setting, variant."""
Judge = Callable[[EpisodeRecord], bool]
PARTIAL = ".partial"
"""Ending of the names under which published tables have "the source object was grasped"."""


@dataclass(frozen=True)
class Tally:
    """What became of some episodes of a plan."""

    planned: int
    n: int
    """With a verdict."""
    successes: int
    errored: int

    @property
    def missing(self) -> int:
        """Not played (yet)."""
        return self.planned - self.n - self.errored

    @property
    def complete(self) -> bool:
        """Whether every planned episode has a verdict."""
        return 0 < self.planned == self.n

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.planned + other.planned, self.n + other.n, self.successes + other.successes, self.errored + other.errored
        )


NOTHING = Tally(0, 0, 0, 0)


@dataclass(frozen=True)
class Row:
    """One number of a table of cells."""

    setting: str
    kind: Literal["sub-cell", "cell", "partial", "average"]
    name: str
    title: str
    tally: Tally
    rate: float | None
    """0..1; None if a part of it is missing or errored."""
    of: int | None
    """Episodes that the published cell has; None if that is not known here."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % Wilson interval around the rate; averages have none, as their cells count unequal numbers of episodes."""
        if self.rate is None or self.kind == "average":
            return None
        return wilson(self.rate * self.tally.n, self.tally.n)


def succeeded(record: EpisodeRecord) -> bool:
    """The protocol's success: the flag of the last step."""
    return record.status == "success"


def grasped(record: EpisodeRecord) -> bool:
    """Partial success of the WidowX tasks: the source is in the gripper at the end."""
    return bool(record.episode_stats.get("is_src_obj_grasped", False))


def tally_variants(plan: Iterable[EpisodeSpec], records: Records, judge: Judge = succeeded) -> dict[Key, Tally]:
    """Counts of every variant, in the order of the plan; every repeat of an episode counts as one."""
    tallies: dict[Key, Tally] = {}
    played = by_episode(records)
    for spec in plan:
        key = (spec.task, spec.setting, spec.variant)
        for record in played.get(spec.id, (None,)):
            judged = record is not None and record.status != "errored"
            good = record is not None and judged and judge(record)
            tallies[key] = tallies.get(key, NOTHING) + Tally(1, judged, good, record is not None and not judged)
    return tallies


def macro_mean(tallies: Iterable[Tally], partial: bool = False) -> float | None:
    """Mean of the rates, each with the same weight. None if one is incomplete; ``partial`` uses what there is."""
    rates = []
    for tally in tallies:
        if tally.complete or (partial and tally.n):
            rates.append(tally.successes / tally.n)
        elif not partial:
            return None
    return float(np.mean(rates)) if rates else None


@cache
def _variants(task: str, setting: str) -> Mapping[str, bool]:
    """Variants of a setting and whether they count; empty for what the configs do not know."""
    if task not in task_names() or setting not in (config := load_task(task)).settings:
        return {}
    return {variant.name: variant.in_average for variant in config.variants(setting)}


def counts(key: Key) -> bool:
    """Whether a variant counts in the published average of its setting; one that no config knows does."""
    task, setting, variant = key
    return _variants(task, setting).get(variant, True)


def full_size(source: Source, setting: str) -> int | None:
    """How many of its episodes count in the published average; None if the configs lack one of its tasks."""
    total = 0
    for task in source.tasks:
        names = [name for name, in_average in _variants(task, setting).items() if in_average]
        if not names:
            return None
        total += sum(fnmatchcase(n, source.variants) for n in names) * load_task(task).settings[setting].episodes.count
    return total


def aggregate(
    plan: Sequence[EpisodeSpec],
    records: Records,
    partial: bool = False,
    counts: Callable[[Key], bool] = counts,
) -> list[Row]:
    """All cells of published tables that a plan has episodes of, setting by setting, then the averages.

    A rate needs a verdict of every planned episode, and episodes of every task of its cell; ``partial`` does without.
    A plan that is a sample of the cell does have a rate; ``of`` shows it.
    """
    verdicts = {key: tally for key, tally in tally_variants(plan, records).items() if counts(key)}
    grasps = {key: tally for key, tally in tally_variants(plan, records, grasped).items() if counts(key)}
    grasp_known = {(r.task, r.setting) for r in records.values() if "is_src_obj_grasped" in r.episode_stats}
    planned = {key[1] for key in verdicts}
    settings = [setting for setting in cells().settings if setting in planned]
    rows: dict[tuple[str, str], Row] = {}
    for setting in settings:
        for name in cells().cells:
            for row in _cell(name, setting, verdicts, partial):
                rows[row.name, setting] = row
            if (name, setting) in grasp_known:
                whole = _cell(name, setting, grasps, partial)[-1]
                name += PARTIAL
                title = f"{whole.title}: grasped"
                rows[name, setting] = replace(whole, kind="partial", name=name, title=title)
    averages = []
    for name, average in cells().averages.items():
        for group in [average.over_settings] if average.over_settings else [(setting,) for setting in settings]:
            averages += _average(name, average, group, rows)
    return [*rows.values(), *averages]


def _cell(name: str, setting: str, verdicts: Mapping[Key, Tally], partial: bool) -> list[Row]:
    """The rows of a cell, sub-cells first; none if the plan has nothing of it."""
    parts = [_sub_cell(part, setting, verdicts, partial) for part in cells().cells[name].sub_cells]
    if not any(part.tally.planned for part in parts):
        return []
    shown = [part for part in parts if part.tally.planned and part.name != name]
    tally = sum((part.tally for part in parts), NOTHING)
    rate = _mean([part.rate for part in parts], partial)
    return [*shown, Row(setting, "cell", name, cells().cells[name].title, tally, rate, _sum([p.of for p in parts]))]


def _sub_cell(name: str, setting: str, verdicts: Mapping[Key, Tally], partial: bool) -> Row:
    config = cells().sub_cells[name]
    candidates = [(source, _matching(source, setting, verdicts)) for source in config.sources]
    source, mine = next((pair for pair in candidates if pair[1]), candidates[0])
    whole = {key[0] for key in mine} == set(source.tasks)
    rate = macro_mean(mine.values(), partial) if whole or partial else None
    return Row(setting, "sub-cell", name, config.title, sum(mine.values(), NOTHING), rate, full_size(source, setting))


def _matching(source: Source, setting: str, verdicts: Mapping[Key, Tally]) -> dict[Key, Tally]:
    return {
        key: tally
        for key, tally in verdicts.items()
        if key[0] in source.tasks and key[1] == setting and fnmatchcase(key[2], source.variants)
    }


def _average(name: str, average: Average, settings: Sequence[str], rows: Mapping[tuple[str, str], Row]) -> list[Row]:
    """One row; none if the plan lacks one of its cells altogether: such an average would be another one."""
    keys = [(member, setting) for setting in settings for member in average.of]
    if not all(key in rows for key in keys):
        return []
    members = [rows[key] for key in keys]
    tally = sum((member.tally for member in members), NOTHING)
    rate = _mean([member.rate for member in members], partial=False)
    return [Row("+".join(settings), "average", name, average.title, tally, rate, _sum([m.of for m in members]))]


def _mean(rates: Sequence[float | None], partial: bool) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return float(np.mean(known)) if known and (partial or len(known) == len(rates)) else None


def _sum(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
