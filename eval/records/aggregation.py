"""Success rates by the original's rule, written once: everything is a plain mean of means.

A variant's rate is that of its episodes. A sub-cell (horizontal can, open drawer) is the mean of its variants' rates, a
cell of a published table the mean of its sub-cells, an average the mean of its cells. Variants that do not count in the
published average (other cameras) are left out. What the layout is made of stands in ``task_configs/published/cells.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from typing import Literal

import numpy as np

from eval.episode import EpisodeSpec
from eval.records.cells import Average, Source, cells
from eval.records.independence import independent
from eval.records.results import Records, by_episode
from eval.records.states import state_of
from eval.records.tallies import (
    NOTHING,
    Judge,
    Key,
    Tally,
    by_repeat,
    grasped,
    lacks,
    macro_mean,
    rate_interval,
    spread,
    succeeded,
    tally_variants,
)
from eval.statistics.bootstrap import macro_interval
from eval.statistics.intervals import Interval
from eval.tasks.loading import load_task, task_names

PARTIAL = ".partial"
"""Ending of the names under which published tables have "the source object was grasped"."""


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
    """Episodes that the published cell has; None if that is not known here, or other initial states were played."""
    absent: tuple[str, ...] = ()
    """Parts of it that the plan has nothing of."""
    repeats: int = 1
    """How often every episode was played."""
    spread: float | None = None
    """Standard deviation of the rate over the repeats; None if fewer than two have one."""

    independent: float = 0.0
    """Episodes that tell as much and are independent (:func:`eval.records.independence.independent`)."""
    bootstrapped: tuple[float, float] | None = None
    """Of an average, whose cells count unequal numbers of episodes: :func:`eval.statistics.bootstrap.macro_interval`."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %: as of :func:`rate_interval`, of an average the bootstrap's."""
        return self.bootstrapped if self.kind == "average" else rate_interval(self.rate, self.independent)

    @property
    def lacks(self) -> str:
        """Why there is no rate; empty if there is one."""
        if self.rate is not None:
            return ""
        return lacks(self.tally.n, self.tally.errored, self.tally.missing, self.absent)


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
    *,
    judge: Judge = succeeded,
    repeats: int = 1,
) -> list[Row]:
    """All cells of published tables that a plan has episodes of, setting by setting, then the averages.

    A rate needs a verdict of every planned episode, and episodes of every task of its cell; ``partial`` does without.
    A plan that is a sample of the cell does have a rate; ``of`` shows it. Of a plan that was played ``repeats`` times the
    rate is the mean over the repeats, and ``spread`` how far they are apart.
    """
    played, outcomes = by_episode(records), _outcomes(plan, records, judge)
    rows = [
        replace(
            row,
            independent=independent(specs_of(row, plan, counts), played, grasped if row.kind == "partial" else judge, repeats),
            bootstrapped=_average_interval(row.name, row.setting.split("+"), outcomes)
            if row.kind == "average" and row.rate is not None
            else None,
        )
        for row in rate_rows(plan, records, partial, counts, judge=judge, repeats=repeats)
    ]
    if any(spec.placements != "published" for spec in plan):
        rows = [replace(row, of=None) for row in rows]  # these are as many as one likes
    if repeats == 1:
        return rows
    rates: dict[tuple[str, str], list[float | None]] = {}
    for part in by_repeat(records, repeats):
        for row in rate_rows(plan, part, partial, counts, judge=judge):
            rates.setdefault((row.name, row.setting), []).append(row.rate)
    return [replace(row, repeats=repeats, spread=spread(rates.get((row.name, row.setting), ()))) for row in rows]


def rate_rows(
    plan: Sequence[EpisodeSpec],
    records: Records,
    partial: bool = False,
    counts: Callable[[Key], bool] = counts,
    *,
    judge: Judge = succeeded,
    repeats: int = 1,
) -> list[Row]:
    """The rows of :func:`aggregate` with their rates alone, without intervals and spread, which take most of its time."""
    verdicts = {key: tally for key, tally in tally_variants(plan, records, judge, repeats).items() if counts(key)}
    grasps = {key: tally for key, tally in tally_variants(plan, records, grasped, repeats).items() if counts(key)}
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
    config = cells().cells[name]
    parts = [_sub_cell(part, setting, verdicts, partial) for part in config.sub_cells]
    if not any(part.tally.planned for part in parts):
        return []
    shown = [part for part in parts if part.tally.planned and part.name != name]
    tally = sum((part.tally for part in parts), NOTHING)
    rate = _mean([part.rate for part in parts], partial)
    inside = [text for part in parts if part.tally.planned for text in part.absent]
    absent = (*inside, *_others([part.title for part in parts if not part.tally.planned], config.parts))
    return [*shown, Row(setting, "cell", name, config.title, tally, rate, _sum([p.of for p in parts]), absent)]


def specs_of(row: Row, plan: Sequence[EpisodeSpec], counts: Callable[[Key], bool] = counts) -> list[EpisodeSpec]:
    """The episodes that a row counts."""
    variants = dict.fromkeys((spec.task, spec.setting, spec.variant) for spec in plan)
    keys = {key: NOTHING for key in variants if counts(key)}
    if row.kind == "average":
        parts = [part for member in cells().averages[row.name].of for part in cells().sub_cells_of(member)]
    else:
        parts = [row.name] if row.kind == "sub-cell" else list(cells().cells[row.name.removesuffix(PARTIAL)].sub_cells)
    inside = {key for setting in row.setting.split("+") for part in parts for key in _source_of(part, setting, keys)[1]}
    return [spec for spec in plan if (spec.task, spec.setting, spec.variant) in inside]


def _others(absent: Sequence[str], parts: str) -> tuple[str, ...]:
    """What the plan lacks: one by its name, several by what such parts are called."""
    return (f"other {parts}",) if len(absent) > 1 and parts else tuple(absent)


def _sub_cell(name: str, setting: str, verdicts: Mapping[Key, Tally], partial: bool) -> Row:
    config = cells().sub_cells[name]
    source, mine = _source_of(name, setting, verdicts)
    planned = {key[0] for key in mine}
    absent = _others([task for task in source.tasks if task not in planned], config.parts)
    rate = macro_mean(mine.values(), partial) if partial or not absent else None
    tally = sum(mine.values(), NOTHING)
    return Row(setting, "sub-cell", name, config.title, tally, rate, full_size(source, setting), absent)


def _source_of(name: str, setting: str, verdicts: Mapping[Key, Tally]) -> tuple[Source, dict[Key, Tally]]:
    """The first place of a sub-cell that has episodes, with these; else its first, with none."""
    candidates = [(source, _matching(source, setting, verdicts)) for source in cells().sub_cells[name].sources]
    return next((pair for pair in candidates if pair[1]), candidates[0])


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
    absent = tuple(dict.fromkeys(text for member in members for text in member.absent))
    of = _sum([member.of for member in members])
    return [Row("+".join(settings), "average", name, average.title, tally, rate, of, absent)]


def _outcomes(plan: Sequence[EpisodeSpec], records: Records, judge: Judge) -> dict[Key, list[tuple[Hashable, list[float]]]]:
    """Variant that counts -> the initial state and the verdicts, 0 or 1, of each of its episodes."""
    played = by_episode(records)
    outcomes: dict[Key, list[tuple[Hashable, list[float]]]] = {}
    for spec in plan:
        verdicts = [float(judge(record)) for record in played.get(spec.id, ()) if record.status != "errored"]
        outcomes.setdefault((spec.task, spec.setting, spec.variant), []).append((state_of(spec), verdicts))
    return {key: episodes for key, episodes in outcomes.items() if counts(key)}


def _average_interval(
    name: str, settings: Sequence[str], outcomes: Mapping[Key, Sequence[tuple[Hashable, list[float]]]]
) -> Interval:
    """95 % interval of an average: a bootstrap over the initial states of every sub-cell, weighted as the average weighs them.

    Of variants of a sub-cell that show the same initial state, and of repeats, only their mean enters.
    """
    keys = dict.fromkeys(outcomes, NOTHING)
    strata: list[list[float]] = []
    weights: list[float] = []
    for setting in settings:
        for member in cells().averages[name].of:
            parts = cells().sub_cells_of(member)
            for part in parts:
                states: dict[Hashable, list[float]] = {}
                for key in _source_of(part, setting, keys)[1]:
                    for state, verdicts in outcomes[key]:
                        states.setdefault(state, []).extend(verdicts)
                strata.append([float(np.mean(verdicts)) for verdicts in states.values() if verdicts])
                weights.append(1 / len(parts))
    return macro_interval(strata, weights)


def mean_interval(plan: Sequence[EpisodeSpec], records: Records, judge: Judge = succeeded) -> Interval:
    """95 % interval of the plain mean over tasks and settings of the means of their variants that count.

    As :func:`_average_interval`, and equal to it where the tasks are those of a published average.
    """
    strata: dict[tuple[str, str], dict[str, dict[Hashable, list[float]]]] = {}
    for key, episodes in _outcomes(plan, records, judge).items():
        states = strata.setdefault(key[:2], {}).setdefault(_sub_cell_of(key), {})
        for state, verdicts in episodes:
            states.setdefault(state, []).extend(verdicts)
    parts = [(states, 1 / len(task)) for task in strata.values() for states in task.values()]
    outcomes = [[float(np.mean(verdicts)) for verdicts in states.values() if verdicts] for states, _ in parts]
    return macro_interval(outcomes, [weight for _, weight in parts])


def _sub_cell_of(key: Key) -> str:
    """The part of a published cell that a variant is in; empty if in none."""
    if key[1] not in cells().settings:
        return ""
    found = (
        name
        for name, config in cells().sub_cells.items()
        for source in config.sources
        if key[0] in source.tasks and fnmatchcase(key[2], source.variants)
    )
    return next(found, "")


def _mean(rates: Sequence[float | None], partial: bool) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return float(np.mean(known)) if known and (partial or len(known) == len(rates)) else None


def _sum(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
