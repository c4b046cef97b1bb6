"""Tables of the cells that published tables have: as data, and as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from eval.episode import EpisodeSpec
from eval.records.aggregation import aggregate
from eval.records.cells import cells
from eval.records.escaping import plain_markdown
from eval.records.results import Records
from eval.records.tallies import JUDGES, SuccessRule

if TYPE_CHECKING:
    import pandas as pd

CELL_COLUMNS = ["setting", "kind", "name", "title", "n", "successes", "rate", "low", "high", "errored", "missing", "of",
                "lacks", "success", "repeats", "spread", "independent"]  # fmt: skip
AVERAGES = "Intervals of averages: stratified bootstrap over initial states; all others: Wilson, with a design effect."
NUMBER = "success % [95 %]"
"""Head of the column with a rate and its interval."""


def cell_table(
    plan: Sequence[EpisodeSpec],
    records: Records,
    partial: bool = False,
    *,
    success: SuccessRule = "last",
    repeats: int = 1,
) -> pd.DataFrame:
    """One row a sub-cell, cell and average; columns as in ``CELL_COLUMNS``.

    ``rate`` in 0..1 is a mean of means (:mod:`eval.records.aggregation`); ``of`` are the episodes that the published
    cell has, so ``n`` below it is a sample. ``lacks`` says why there is no rate, ``success`` which flag counts, ``spread`` is
    the standard deviation of the rate over the repeats, ``independent`` how many independent episodes the interval is of.
    """
    import pandas as pd  # here, because every worker process imports what the command imports

    rows = []
    for row in aggregate(plan, records, partial, judge=JUDGES[success], repeats=repeats):
        low, high = row.interval or (None, None)
        tally = row.tally
        numbers = [tally.n, tally.successes, row.rate, low, high, tally.errored, tally.missing, row.of]
        rows.append(
            [row.setting, row.kind, row.name, row.title, *numbers, row.lacks, success, repeats, row.spread, row.independent]
        )
    return pd.DataFrame(rows, columns=CELL_COLUMNS).astype({"of": "Int64", "spread": float})


def shown_cells(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Columns and rows as people read them: percent with one decimal and its interval, or what is missing.

    Of what size a cell is stands there where it has one: states that nobody published have none.
    """
    sized = bool(table["of"].notna().any())
    columns = ["setting", "cell", NUMBER, "n", *(["of"] if sized else []), "errored", "missing"]
    repeated = bool((table["repeats"] > 1).any())
    rows = []
    for row in rows_of(table):
        name = row["title"] if row["kind"] != "sub-cell" else f"  {row['title']}"
        of = "" if row["of"] is None else f"{row['repeats']} x {row['of']}" if repeated else row["of"]
        shown = [row["setting"], name, number(row), row["n"], *([of] if sized else []), row["errored"], row["missing"]]
        rows.append([*map(str, shown), *([percent(row["spread"])] if repeated else [])])
    return [*columns, *(["spread"] if repeated else [])], rows


def conventions(table: pd.DataFrame) -> list[str]:
    """One line for every average in the table: what it is the mean of; and one for how intervals of averages came about."""
    averages = [row for row in rows_of(table) if row["kind"] == "average"]
    lines = what_averages_are(row["name"] for row in averages)
    return [*lines, AVERAGES] if any(row["low"] is not None for row in averages) else lines


def what_averages_are(names: Iterable[str]) -> list[str]:
    """A line each, of what it is the mean."""
    return [f"{cells().averages[name].title}: {cells().averages[name].about}." for name in dict.fromkeys(names)]


def cells_markdown(table: pd.DataFrame, heading: str) -> str:
    """The table as a GitHub table under its title, with what each average is the mean of."""
    lines = [f"# {plain_markdown(heading)}", "", *markdown_table(*shown_cells(table)), ""]
    lines += (f"- {plain_markdown(line)}" for line in conventions(table))
    return "\n".join(lines).rstrip() + "\n"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a GitHub table, in which every text stands as it is; two spaces before one indent it."""
    lines = [[_markdown_cell(cell) for cell in line] for line in (columns, *rows)]
    return ["| " + " | ".join(line) + " |" for line in (lines[0], ["---"] * len(columns), *lines[1:])]


def _markdown_cell(text: str) -> str:
    return ("&nbsp;&nbsp;" if text.startswith("  ") else "") + plain_markdown(text)


def number(row: dict[str, Any]) -> str:
    """Percent and 95 % interval of a row with ``rate``, ``low`` and ``high``, or what it lacks."""
    if row["rate"] is None:
        return str(row.get("lacks") or "")
    if row["low"] is None:
        return percent(row["rate"])
    return f"{percent(row['rate'])} [{percent(row['low'])}-{percent(row['high'])}]"


def percent(rate: float | None) -> str:
    """0.5 -> ``50.0``; nothing for None."""
    return "" if rate is None else f"{100 * rate:.1f}"


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts with None for what is absent."""
    shown: list[dict[Any, Any]] = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in shown]
