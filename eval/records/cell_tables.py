"""Tables of the cells that published tables have: as data, as text, and as LaTeX for a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eval.episode import EpisodeSpec
from eval.records.aggregation import aggregate
from eval.records.cells import cells
from eval.records.results import Records

if TYPE_CHECKING:
    import pandas as pd

CELL_COLUMNS = ["setting", "kind", "name", "title", "n", "successes", "rate", "low", "high", "errored", "missing", "of"]
SHOWN = ["setting", "cell", "success %", "95 % interval", "n", "of", "errored", "missing"]
SETTING_TITLES = {
    "visual_matching": "Visual Matching",
    "variant_aggregation": "Variant Aggregation",
    "alt_urdf": "Variant Aggregation, recoloured arm",
}
LATEX = str.maketrans({"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "~": r"\~{}",
                       "^": r"\^{}", "\\": r"\textbackslash{}"})  # fmt: skip


def cell_table(plan: Sequence[EpisodeSpec], records: Records, partial: bool = False) -> pd.DataFrame:
    """One row a sub-cell, cell and average; columns as in ``CELL_COLUMNS``.

    ``rate`` in 0..1 is a mean of means (:mod:`eval.records.aggregation`); ``of`` are the episodes that the published
    cell has, so ``n`` below it is a sample.
    """
    import pandas as pd  # here, because every worker process imports what the command imports

    rows = []
    for row in aggregate(plan, records, partial):
        low, high = row.interval or (None, None)
        tally = row.tally
        numbers = [tally.n, tally.successes, row.rate, low, high, tally.errored, tally.missing, row.of]
        rows.append([row.setting, row.kind, row.name, row.title, *numbers])
    return pd.DataFrame(rows, columns=CELL_COLUMNS).astype({"of": "Int64"})


def shown_cells(table: pd.DataFrame) -> list[list[str]]:
    """The rows as people read them: percent with one decimal; columns as in ``SHOWN``."""
    rows = []
    for row in _records(table):
        name = row["title"] if row["kind"] != "sub-cell" else f"  {row['title']}"
        interval = "" if row["low"] is None else f"{_percent(row['low'])} - {_percent(row['high'])}"
        of = "?" if row["of"] is None else row["of"]
        shown = [row["setting"], name, _percent(row["rate"]), interval, row["n"], of, row["errored"], row["missing"]]
        rows.append([str(value) for value in shown])
    return rows


def conventions(table: pd.DataFrame) -> list[str]:
    """One line for every average in the table: what it is the mean of."""
    names = dict.fromkeys(row["name"] for row in _records(table) if row["kind"] == "average")
    return [f"{cells().averages[name].title}: {cells().averages[name].about}." for name in names]


def cells_markdown(table: pd.DataFrame, heading: str) -> str:
    """The table as a GitHub table under its title, with what each average is the mean of."""
    lines = [f"# {heading}", "", "| " + " | ".join(SHOWN) + " |", "|" + " --- |" * len(SHOWN)]
    lines += ["| " + " | ".join(row).replace("|   ", "| &nbsp;&nbsp;") + " |" for row in shown_cells(table)]
    return "\n".join([*lines, "", *(f"- {line}" for line in conventions(table))]).rstrip() + "\n"


def cells_latex(table: pd.DataFrame, heading: str) -> str:
    """A ``booktabs`` table for each robot: a row a setting, a column a cell, 95 % Wilson intervals as indices."""
    rows = _records(table)
    parts = [
        f"% {heading}",
        *(_tabular(rows, prefix) for prefix in ("google_robot", "widowx") if any(_of(row, prefix) for row in rows)),
    ]
    return "\n".join(parts) + "\n"


def _of(row: Mapping[str, Any], robot: str) -> bool:
    return bool(row["kind"] == "cell" and row["name"].startswith(robot))


def _tabular(rows: Sequence[Mapping[str, Any]], robot: str) -> str:
    names = list(dict.fromkeys(row["name"] for row in rows if _of(row, robot)))
    averages = dict.fromkeys(
        row["name"] for row in rows if row["kind"] == "average" and row["name"].split("_")[0] == robot.split("_")[0]
    )
    averages = dict.fromkeys(name for name in averages if not cells().averages[name].over_settings)
    heads = [cells().title_of(name) for name in names] + [cells().averages[name].title for name in averages]
    lines = [
        r"\begin{tabular}{l" + "c" * len(heads) + "}",
        r"\toprule",
        " & ".join(["Success (\\%)", *(head.translate(LATEX) for head in heads)]) + r" \\",
        r"\midrule",
    ]
    by_place = {(row["name"], row["setting"]): row for row in rows}
    for setting in dict.fromkeys(row["setting"] for row in rows if _of(row, robot)):
        here = [by_place.get((name, setting)) for name in (*names, *averages)]
        lines.append(" & ".join([SETTING_TITLES[setting], *map(_latex_rate, here)]) + r" \\")
        sizes = ["--" if row is None else str(row["n"]) for row in here]
        lines.append(" & ".join([r"\quad episodes", *sizes]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _latex_rate(row: Mapping[str, Any] | None) -> str:
    if row is None or row["rate"] is None:
        return "--"
    if row["low"] is None:
        return _percent(row["rate"])
    return f"${_percent(row['rate'])}_{{{_percent(row['low'])}}}^{{{_percent(row['high'])}}}$"


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.1f}"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts with None for what is absent."""
    shown: list[dict[Any, Any]] = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in shown]
