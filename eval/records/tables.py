"""The success table of a run: one row a variant, one total a task and setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.given import Text, text_of
from eval.records.aggregation import counts
from eval.records.cell_tables import NUMBER, cell_table, cells_markdown, markdown_table, number, percent, rows_of
from eval.records.errors import ErrorCount, error_counts, error_lines
from eval.records.escaping import csv_of, plain_markdown
from eval.records.folder import RunData, disk_errors, write_atomically
from eval.records.independence import independent
from eval.records.labels import labels
from eval.records.latex import cells_latex, summary_latex
from eval.records.results import Records, by_episode
from eval.records.tallies import (
    JUDGES,
    NOTHING,
    Key,
    SuccessRule,
    Tally,
    by_repeat,
    lacks,
    macro_mean,
    rate_interval,
    spread,
    tally_variants,
)
from eval.records.titles import title
from task_configs.schema.tasks import ALL_VARIANTS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["task", "setting", "variant", "n", "successes", "rate", "low", "high", "errored", "missing", "counted",
           "steps_to_success", "success", "repeats", "spread",
           "independent"]  # fmt: skip
TOTAL = ALL_VARIANTS
HIDDEN = ("low", "high", "success", "repeats", "independent")
"""Columns that people read elsewhere: beside the rate, or in the title."""

HEADS = {"rate": NUMBER, "steps_to_success": "steps to success"}
"""How columns are headed for people, if not by their names."""
STEPS = "Steps to success: median control step at which the flag of the successful episodes first came up."

__all__ = ["COLUMNS", "TOTAL", "RunTables", "markdown", "summary", "tables_of", "title", "write_tables"]


def summary(
    plan: Sequence[EpisodeSpec],
    records: Records,
    partial: bool = False,
    *,
    success: SuccessRule = "last",
    repeats: int = 1,
) -> pd.DataFrame:
    """Count successes over the plan; columns as in ``COLUMNS``.

    ``n`` counts episodes with a verdict, each repeat as one; ``rate`` is successes / n in 0..1, ``low`` and ``high`` its 95 %
    Wilson interval, in which repeats count once. ``errored`` and ``missing`` episodes are in neither. The total
    (variant ``all``) is over the variants that count in the published average (``counted``), its rate the mean of theirs;
    with errored or missing episodes it has no rate unless ``partial``. ``steps_to_success`` is the median control step at which
    the successes first had their flag up, ``spread`` the standard deviation of the rate over the repeats, ``independent`` how
    many independent episodes the interval is of (:func:`eval.records.independence.independent`).

    Args:
        plan: the episodes.
        records: what became of them.
        partial: give totals a rate although episodes are missing or errored.
        success: which flag counts, that of the last step or that of any.
        repeats: how often each episode was to be played.
    """
    import pandas as pd  # here, because every worker process imports what the command imports

    rows = _rows(plan, records, partial, success, repeats)
    spreads: dict[Key, float | None] = {}
    if repeats > 1:
        each = [_rows(plan, part, partial, success, 1) for part in by_repeat(records, repeats)]
        spreads = {key: spread(part[key].rate for part in each) for key in rows}
    steps = _first_steps(plan, records, success)
    specs: dict[Key, list[EpisodeSpec]] = {}
    for spec in plan:
        specs.setdefault((spec.task, spec.setting, spec.variant), []).append(spec)
    played = by_episode(records)
    lines = []
    for (task, setting, variant), row in rows.items():
        keys = [key for key in specs if key[:2] == (task, setting) and (counts(key) if variant == TOTAL else key[2] == variant)]
        alone = independent([spec for key in keys for spec in specs[key]], played, JUDGES[success], repeats)
        low, high = rate_interval(row.rate, alone) or (None, None)
        tally = [row.tally.n, row.tally.successes, row.rate, low, high, row.tally.errored, row.tally.missing]
        of_row = steps.get((task, setting, variant), [])
        if variant == TOTAL:
            of_row = [step for key, some in steps.items() if key[:2] == (task, setting) and counts(key) for step in some]
        first = float(np.median(of_row)) if of_row else None
        more = [row.counted, first, success, repeats, spreads.get((task, setting, variant)), alone]
        lines.append([task, setting, variant, *tally, *more])
    return pd.DataFrame(lines, columns=COLUMNS).astype({"steps_to_success": float, "spread": float})


@dataclass(frozen=True)
class _Row:
    tally: Tally
    rate: float | None
    counted: bool


def _rows(plan: Sequence[EpisodeSpec], records: Records, partial: bool, success: SuccessRule, repeats: int) -> dict[Key, _Row]:
    """A row a variant, and after those of a task and setting their total."""
    groups: dict[tuple[str, str], dict[Key, Tally]] = {}
    for key, tally in tally_variants(plan, records, JUDGES[success], repeats).items():
        groups.setdefault(key[:2], {})[key] = tally
    rows: dict[Key, _Row] = {}
    for (task, setting), variants in groups.items():
        for key, tally in variants.items():
            rows[key] = _Row(tally, tally.successes / tally.n if tally.n else None, counts(key))
        counted = [tally for key, tally in variants.items() if counts(key)]
        rows[task, setting, TOTAL] = _Row(sum(counted, NOTHING), macro_mean(counted, partial), bool(counted))
    return rows


def _first_steps(plan: Sequence[EpisodeSpec], records: Records, success: SuccessRule) -> dict[Key, list[int]]:
    """Variant -> the step of the first success of every successful episode that tells it."""
    steps: dict[Key, list[int]] = {}
    places = {spec.id: (spec.task, spec.setting, spec.variant) for spec in plan}
    for record in records.values():
        if record.id in places and record.first_success_step is not None and JUDGES[success](record):
            steps.setdefault(places[record.id], []).append(record.first_success_step)
    return steps


def shown_rows(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a table of results as people read them: one column for a rate and its interval."""
    empty = [name for name in ("steps_to_success", "spread") if name in table and not table[name].notna().any()]
    names = [str(name) for name in table.columns if name not in (*HIDDEN, *empty)]
    rows = []
    for row in rows_of(table):
        if row["rate"] is None:
            row["lacks"] = lacks(row["n"], row["errored"], row.get("missing", 0)) or "no variant counts"
        texts = {
            "rate": number(row), "spread": percent(row.get("spread")), "counted": "yes" if row.get("counted") else "no",
            "steps_to_success": "" if row.get("steps_to_success") is None else f"{row['steps_to_success']:g}",
        }  # fmt: skip
        rows.append([texts.get(name, str(row[name])) for name in names])
    return [HEADS.get(name, name) for name in names], rows


def conventions_of(table: pd.DataFrame) -> list[str]:
    """What must be said of a column as people read it; a paragraph an entry."""
    name = "steps_to_success"  # the demonstration's table has none
    return [STEPS] if name in table and table[name].notna().any() else []


def markdown(table: pd.DataFrame, heading: str) -> str:
    """The table as a GitHub table under its title, which may have several lines."""
    titles = [plain_markdown(line) for line in heading.splitlines()]
    said = [line for text in conventions_of(table) for line in ("", plain_markdown(text))]
    return "# " + "\n".join([*titles, "", *markdown_table(*shown_rows(table)), *said]) + "\n"


@dataclass(frozen=True)
class RunTables:
    """All that is told of a run."""

    run: RunData
    title: str
    summary: pd.DataFrame
    """As of :func:`summary`."""
    cells: pd.DataFrame
    """As of :func:`eval.records.cell_tables.cell_table`; empty if the run has no episodes of one."""
    errors: tuple[ErrorCount, ...]

    @property
    def label(self) -> str:
        """Who played, and on what if not on the published initial states."""
        return labels([self.run])[0]

    def summary_markdown(self, level: str = "#") -> str:
        """``summary.md``: the table and the errors under the title."""
        lines = [f"{level} {plain_markdown(self.title)}", "", *markdown_table(*shown_rows(self.summary))]
        lines += [line for text in conventions_of(self.summary) for line in ("", plain_markdown(text))]
        if self.errors:
            lines += ["", f"{level}# Errors", "", *(f"- {plain_markdown(line)}" for line in error_lines(self.errors))]
        return "\n".join(lines) + "\n"

    def files(self) -> dict[str, str]:
        """File name -> content of every table; ``cells.*`` if there are any."""
        files = {"summary.csv": csv_of(self.summary), "summary.md": self.summary_markdown()}
        files["summary.tex"] = summary_latex(self.summary, self.title, self.label)
        if len(self.cells):
            files |= {
                "cells.csv": csv_of(self.cells),
                "cells.md": cells_markdown(self.cells, self.title),
                "cells.tex": cells_latex(self.cells, self.title, self.label),
            }
        return files

    def write(self, folder: Path) -> None:
        """Write all tables. Raises UserError if the disk refuses."""
        write_files(folder, self.files())


def tables_of(run: RunData, partial: bool = False) -> RunTables:
    """The tables of a run, by the rule of success and the repeats that its header names."""
    success, repeats = run.header.options.success, run.header.repeats
    cells = cell_table(run.plan, run.records, partial, success=success, repeats=repeats)
    errors = tuple(error_counts(run.records.values()))
    return RunTables(run, title(run.header, run.plan), summary_of(run, partial), cells, errors)


def summary_of(run: RunData, partial: bool = False) -> pd.DataFrame:
    """:func:`summary` of a run, by the rule of success and the repeats that its header names."""
    return summary(run.plan, run.records, partial, success=run.header.options.success, repeats=run.header.repeats)


def write_tables(run: RunData, partial: bool = False, folder: Text | None = None) -> pd.DataFrame:
    """Write the tables of a run and return the one by variant.

    ``summary.csv`` and ``.md`` have a row a variant, ``summary.tex`` one a task and setting. ``cells.csv``, ``.md`` and
    ``.tex`` hold the cells of published tables, if the run has episodes of one. All go into ``folder``, by default ``tables/``
    of the run.

    Raises:
        UserError: ``run`` is something else, such as a folder, or the disk refuses.
    """
    if not isinstance(run, RunData):
        raise UserError(f"{run!r:.80} is no run; give what run() or load_run() returns.")
    tables = tables_of(run, partial)
    tables.write(run.path / "tables" if folder is None else Path(text_of(folder, "folder")))
    return tables.summary


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write some text files. Raises UserError if the disk refuses."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(folder / name, text)
