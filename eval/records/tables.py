"""The success table of a run: one row a variant, one total a task and setting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.episode import EpisodeSpec
from eval.records.aggregation import NOTHING, Key, Tally, counts, macro_mean, tally_variants
from eval.records.cell_tables import cell_table, cells_latex, cells_markdown
from eval.records.folder import RunData, disk_errors, write_atomically
from eval.records.results import Records
from eval.records.stats import wilson
from eval.records.titles import title

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["task", "setting", "variant", "n", "successes", "rate", "low", "high", "errored", "missing", "counted"]
TOTAL = "all"

__all__ = ["COLUMNS", "TOTAL", "markdown", "summary", "title", "write_tables"]


def summary(plan: Sequence[EpisodeSpec], records: Records, partial: bool = False) -> pd.DataFrame:
    """Count successes over the plan; columns as in ``COLUMNS``.

    ``n`` counts episodes with a verdict; ``rate`` is successes / n in 0..1, ``low`` and ``high`` its 95 % Wilson
    interval. ``errored`` and ``missing`` episodes are in neither. The total (variant ``all``) is over the variants that
    count in the published average (``counted``), its rate the mean of theirs; with errored or missing episodes it has no
    rate unless ``partial``.
    """
    import pandas as pd  # here, because every worker process imports what the command imports

    groups: dict[tuple[str, str], dict[Key, Tally]] = {}
    for key, tally in tally_variants(plan, records).items():
        groups.setdefault(key[:2], {})[key] = tally
    rows = []
    for (task, setting), variants in groups.items():
        for key, tally in variants.items():
            rate = tally.successes / tally.n if tally.n else None
            rows.append([task, setting, key[2], *_numbers(tally, rate), counts(key)])
        counted = [tally for key, tally in variants.items() if counts(key)]
        total = sum(counted, NOTHING)
        rows.append([task, setting, TOTAL, *_numbers(total, macro_mean(counted, partial)), bool(counted)])
    return pd.DataFrame(rows, columns=COLUMNS)


def _numbers(tally: Tally, rate: float | None) -> list[Any]:
    """Columns ``n`` to ``missing``."""
    low, high = (None, None) if rate is None else wilson(rate * tally.n, tally.n)
    return [tally.n, tally.successes, rate, low, high, tally.errored, tally.missing]


def markdown(table: pd.DataFrame, heading: str) -> str:
    """The table as a GitHub table under its title."""
    shown = table.astype(object).where(table.notna(), "")
    for column in ("rate", "low", "high"):
        shown[column] = [f"{value:.3f}" if value != "" else "" for value in shown[column]]
    if "counted" in shown:
        shown["counted"] = ["yes" if value else "no" for value in shown["counted"]]
    names = list(map(str, table.columns))
    lines = [f"# {heading}", "", "| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(str(value) for value in row) + " |" for row in shown.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def write_tables(run: RunData, partial: bool = False, folder: Path | None = None) -> pd.DataFrame:
    """Write the tables of a run and return the one by variant.

    ``summary.csv`` and ``.md`` have a row a variant; ``cells.csv``, ``.md`` and ``.tex`` the cells of published tables,
    if the run has episodes of one. They go into ``folder``, by default ``tables/`` of the run.
    """
    table, cells = summary(run.plan, run.records, partial), cell_table(run.plan, run.records, partial)
    heading = title(run.header, run.plan)
    files = {"summary.csv": table.to_csv(index=False), "summary.md": markdown(table, heading)}
    if len(cells):
        files |= {
            "cells.csv": cells.to_csv(index=False),
            "cells.md": cells_markdown(cells, heading),
            "cells.tex": cells_latex(cells, heading),
        }
    folder = folder or run.path / "tables"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(folder / name, text)
    return table
