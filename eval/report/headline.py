"""The headline: the answer in one sentence, and tables in the columns of published ones, published rows beside ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eval.published.models import NumberRow
from eval.published.numbers import known_disagreements, number_rows, policy_models, published_numbers, references
from eval.records.cell_tables import rows_of, what_averages_are
from eval.records.cells import cells
from eval.records.latex import SETTING_TITLES
from eval.records.tables import TOTAL
from eval.records.tallies import lacks
from eval.report.entries import Entry
from eval.report.layouts import Block, Layout, LayoutName, layouts
from eval.statistics.power import smallest_difference

PLACED = {"heldout": "held-out placements", "train": "training placements"}
"""What the title of a table says of initial states that are not the published ones."""
OTHERS = "Other tasks"
"""Heading of the table of what no published table has a column for."""


@dataclass(frozen=True)
class Cell:
    """A number of ours, and how much it says."""

    rate: float | None
    """0..1; None if something is missing."""
    low: float | None
    high: float | None
    n: int
    """Episodes with a verdict."""
    successes: int
    of: int | None
    """Episodes that the published cell has."""
    lacks: str
    """Why there is no rate."""
    smallest: float | None
    """Difference of two policies, 0..1, that so many initial states show four times in five; None: no difference."""
    spread: float | None = None
    """Standard deviation over the repeats."""


@dataclass(frozen=True)
class OwnRow:
    """A row of ours; a cell is None where nothing of it was planned."""

    label: str
    remarks: str
    """Of the policy on itself."""
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class PublishedRow:
    """A published row; percent, None where it has no such cell."""

    model: str
    set: str
    """Which of several sets of numbers of the model."""
    source: int
    """Number of its source, from 1."""
    numbers: tuple[float | None, ...]
    same_policy: bool
    """Whether it was published for a policy of the page."""


@dataclass(frozen=True)
class Table:
    """A table of the headline."""

    title: str
    columns: tuple[str, ...]
    averages: tuple[bool, ...]
    """Which columns are means of others."""
    names: tuple[str, ...]
    """Cells, sub-cells, averages and tasks that the columns show."""
    rows: tuple[OwnRow, ...]
    published: tuple[PublishedRow, ...] = ()
    disputes: tuple[str, ...] = ()
    """What is known to be wrong or disputed about the published numbers."""


@dataclass(frozen=True)
class Source:
    """Where published numbers were read."""

    number: int
    what: str
    where: str
    trust: str


@dataclass(frozen=True)
class Headline:
    """All tables of a page, and what is said below them."""

    layout: str
    about: str
    tables: tuple[Table, ...]
    sources: tuple[Source, ...]
    conventions: tuple[str, ...]
    """What the averages are the means of."""


def headline(entries: Sequence[Entry], layout: LayoutName) -> Headline:
    """The tables of a layout that the runs have episodes of, then one of the tasks that are in none.

    Runs beside which no published number may stand have tables of their own, whose titles say why.
    """
    chosen = layouts()[layout]
    groups: dict[str, list[Entry]] = {"": []}
    for entry in entries:
        groups.setdefault(_beside(entry), []).append(entry)
    order: list[str] = []
    tables = [table for why, group in groups.items() if group for table in _tables(chosen, why, group, order)]
    sources = tuple(
        Source(place + 1, references()[name].what, references()[name].where, references()[name].trust)
        for place, name in enumerate(order)
    )
    shown = [name for table in tables for name in table.names if name in cells().averages]
    return Headline(chosen.title, chosen.about, tuple(tables), sources, tuple(what_averages_are(shown)))


def _beside(entry: Entry) -> str:
    """Why the numbers of an entry are none of the benchmark; empty if they are."""
    identity = entry.run.header.identity
    placements = PLACED.get(identity.placements, "")
    change = "" if identity.observation_change is None else "observations changed by an audit"
    return ", ".join(filter(None, (placements, change)))


def _tables(chosen: Layout, why: str, entries: Sequence[Entry], order: list[str]) -> list[Table]:
    """Those of entries that may stand in one table; ``why``: as of :func:`_beside`."""
    numbers = [_numbers(entry) for entry in entries]
    tables = [
        _table(block, setting, why, entries, numbers, order)
        for block in chosen.blocks
        for setting in block.settings
        if any((name, setting) in row for row in numbers for name in block.columns)
    ]
    if others := _others(entries, numbers, why):
        tables.append(others)
    return tables


def _numbers(entry: Entry) -> dict[tuple[str, str], Cell]:
    """Every number of a run by (cell, sub-cell, average or task; setting)."""
    kinds = ("average", "sub-cell", "cell")  # a cell may be called as its only sub-cell
    rows = [row for kind in kinds for row in rows_of(entry.tables.cells) if row["kind"] == kind]
    numbers = {(row["name"], row["setting"]): _cell(row, entry) for row in rows}
    published = {task for part in cells().sub_cells.values() for source in part.sources for task in source.tasks}
    for row in rows_of(entry.tables.summary):
        if row["variant"] == TOTAL and not (row["task"] in published and row["setting"] in cells().settings):
            why = "" if row["rate"] is not None else lacks(row["n"], row["errored"], row["missing"]) or "no variant counts"
            numbers[row["task"], row["setting"]] = _cell({**row, "lacks": why, "of": None}, entry)
    return numbers


def _cell(row: dict[str, Any], entry: Entry) -> Cell:
    states = round(row["independent"])
    return Cell(
        row["rate"], row["low"], row["high"], row["n"], row["successes"], row["of"], row["lacks"] or "",
        smallest_difference(states) if states else None, row.get("spread"),
    )  # fmt: skip


def _table(
    block: Block,
    setting: str,
    why: str,
    entries: Sequence[Entry],
    numbers: Sequence[dict[tuple[str, str], Cell]],
    order: list[str],
) -> Table:
    policies = {entry.run.header.options.policy for entry in entries}
    models = {model for policy in policies for model in policy_models().get(policy, ())}
    published = () if why else _published(block, setting, models, order)
    kept = [
        place for place, name in enumerate(block.columns)
        if any((name, setting) in row for row in numbers) or any(row.numbers[place] is not None for row in published)
    ]  # fmt: skip
    names = tuple(block.columns[place] for place in kept)
    own = tuple(
        OwnRow(entry.label, entry.remarks, tuple(row.get((name, setting)) for name in names))
        for entry, row in zip(entries, numbers, strict=True)
    )
    published = tuple(replace(row, numbers=tuple(row.numbers[place] for place in kept)) for row in published)
    shown = [row.model for row in published]
    disputes: dict[str, None] = {}
    for name in block.columns if published else ():
        of_rows = [number for number in published_numbers(name, setting) if number.model in shown]
        disputes |= {entry.line: None for entry in known_disagreements(name, setting, of_rows)}
    return Table(
        ", ".join(filter(None, (block.title, SETTING_TITLES.get(setting, setting), why))),
        tuple(column_title(name) for name in names),
        tuple(name in cells().averages or (name in cells().cells and len(cells().cells[name].sub_cells) > 1)
              for name in names),
        names, own, published, tuple(disputes),
    )  # fmt: skip


def column_title(name: str) -> str:
    """How a column is headed."""
    return cells().averages[name].title if name in cells().averages else cells().title_of(name)


def _published(block: Block, setting: str, models: set[str], order: list[str]) -> tuple[PublishedRow, ...]:
    """Rows of the page's own policies from wherever they were published, then those of the block's sources; each once.

    Of a model that a source has several rows of, each says where in the source it stands.
    """
    rows: dict[tuple[str, tuple[float | None, ...]], NumberRow] = {}
    candidates = [row for row in number_rows() if row.setting == setting and not row.secondary]
    own = [row for row in candidates if row.model in models]
    theirs = [row for name in block.sources for row in candidates if row.source == name and row.model not in models]
    for row in [*own, *theirs]:
        values = tuple(_number(row, name) for name in block.columns)
        if any(value is not None for value in values) and (row.model, values) not in rows:
            rows[row.model, values] = row
            if row.source not in order:
                order.append(row.source)
    times = Counter((row.model, row.source) for row in rows.values())
    return tuple(
        PublishedRow(
            model, row.where if times[model, row.source] > 1 else references()[row.source].set,
            order.index(row.source) + 1, values, model in models,
        )
        for (model, values), row in rows.items()
    )  # fmt: skip


def _number(row: NumberRow, name: str) -> float | None:
    if name in cells().averages:
        return row.average if row.average_over == name else None
    return row.scores.get(name)


def _others(entries: Sequence[Entry], numbers: Sequence[dict[tuple[str, str], Cell]], why: str) -> Table | None:
    """Tasks and settings that no published table has."""
    known = {*cells().cells, *cells().sub_cells, *cells().averages}
    keys = list(dict.fromkeys(
        key for row in numbers for key in row if key[0] not in known or not {*key[1].split("+")} <= {*cells().settings}
    ))  # fmt: skip
    if not keys:
        return None
    several = len({setting for _, setting in keys}) > 1
    heads = tuple(f"{task}, {setting}" if several else task for task, setting in keys)
    title = ", ".join(filter(None, (OTHERS, "" if several else keys[0][1], why)))
    rows = tuple(
        OwnRow(entry.label, entry.remarks, tuple(row.get(key) for key in keys))
        for entry, row in zip(entries, numbers, strict=True)
    )
    return Table(title, heads, (False,) * len(keys), tuple(task for task, _ in keys), rows)
