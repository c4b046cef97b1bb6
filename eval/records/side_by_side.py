"""Runs that are not one number, in one table: a row a run, a column a cell of published tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.records.cell_tables import conventions, markdown_table, number, rows_of
from eval.records.cells import cells
from eval.records.escaping import csv_of, plain_markdown
from eval.records.folder import RunData
from eval.records.labels import labels
from eval.records.latex import SETTING_TITLES, cells_latex, summary_latex
from eval.records.tables import TOTAL, RunTables, tables_of, write_files
from eval.records.tallies import lacks

if TYPE_CHECKING:
    import pandas as pd

ABSENT = "not planned"
"""In the place of a number for which the run has no episodes."""
Column = tuple[str, str]
"""Name of a cell, average or task, and setting."""


@dataclass(frozen=True)
class SideBySide:
    """Several runs and their tables."""

    labels: tuple[str, ...]
    runs: tuple[RunTables, ...]

    @property
    def heading(self) -> str:
        """What the numbers are."""
        rule = " AT ANY STEP" if any(run.run.header.options.success == "any" for run in self.runs) else ""
        settings = dict.fromkeys(setting for _, setting in self._columns())
        where = f", {next(iter(settings))}" if len(settings) == 1 else ""
        sets = {run.run.header.identity.placements for run in self.runs}
        where += f", {' and '.join(sorted(sets)).upper()} PLACEMENTS" if sets != {"published"} else ""
        return f"Success{rule} in percent [95 % interval]{where}"

    @property
    def titles(self) -> list[str]:
        """A line a run: its label and its whole title."""
        return [f"{label}: {run.title}" for label, run in zip(self.labels, self.runs, strict=True)]

    @property
    def conventions(self) -> list[str]:
        """What the averages are the means of."""
        return list(dict.fromkeys(line for run in self.runs if len(run.cells) for line in conventions(run.cells)))

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Heads of the columns, and a row a run: numbers, or what is missing."""
        columns = self._columns()
        several = len({setting for _, setting in columns}) > 1
        heads = [f"{_title(name)}, {_setting(setting)}" if several else _title(name) for name, setting in columns]
        rows = []
        for label, run in zip(self.labels, self.runs, strict=True):
            numbers = _numbers(run)
            rows.append([label, *(number(numbers[column]) if column in numbers else ABSENT for column in columns)])
        return ["policy", *heads], rows

    def _columns(self) -> list[Column]:
        """Cells and averages, and tasks that are in no cell; a cell for which no run has a number gives way to its parts."""
        numbers = [_numbers(run) for run in self.runs]
        known = {column for rows in numbers for column, row in rows.items() if row["rate"] is not None}
        chosen: list[Column] = []
        for name, setting in dict.fromkeys(column for rows in numbers for column in rows):
            parts = [(part, setting) for part in cells().cells[name].sub_cells] if name in cells().cells else []
            if name in cells().averages:
                shown = (name, setting) in known
            elif parts:
                shown = (name, setting) in known or not any(part in known for part in parts)
            else:
                wholes = [cell for cell, config in cells().cells.items() if name in config.sub_cells]
                shown = not any((cell, setting) in chosen for cell in wholes)
            if shown:
                chosen.append((name, setting))
        return chosen

    def csv(self) -> dict[str, str]:
        """File name -> the tables of all runs one under the other, with a first column ``run`` that says whose row it is."""
        files = {"summary.csv": csv_of(self._together([run.summary for run in self.runs]))}
        if any(len(run.cells) for run in self.runs):
            files["cells.csv"] = csv_of(self._together([run.cells for run in self.runs]))
        return files

    def _together(self, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
        import pandas as pd

        named = [table.assign(run=label) for label, table in zip(self.labels, tables, strict=True) if len(table)]
        together = pd.concat(named, ignore_index=True)
        return together[["run", *(name for name in together.columns if name != "run")]]

    def files(self) -> dict[str, str]:
        """File name -> content of the common tables; the files are called as those of one run."""
        columns, rows = self.table()
        notes = [f"- {plain_markdown(line)}" for line in (*self.titles, *self.conventions)]
        files = self.csv()
        files["cells.md"] = "\n".join([f"# {self.heading}", "", *markdown_table(columns, rows), "", *notes]) + "\n"
        parts = [run.summary_markdown("##") for run in self.runs]
        files["summary.md"] = "\n".join([f"# {len(self.runs)} runs", "", *parts])
        if "cells.csv" in files:
            files["cells.tex"] = cells_latex(self._together([run.cells for run in self.runs]), "\n".join(self.titles))
        summary = self._together([run.summary for run in self.runs])
        files["summary.tex"] = summary_latex(summary, "\n".join(self.titles))
        return files

    def write(self, folder: Path) -> None:
        """Write the common tables. Raises UserError if the disk refuses."""
        write_files(folder, self.files())


def side_by_side(runs: Sequence[RunData], partial: bool = False) -> SideBySide:
    """Runs of different policies, checkpoints, seeds, worlds or plans in one table."""
    return SideBySide(tuple(labels(runs)), tuple(tables_of(run, partial) for run in runs))


def _numbers(run: RunTables) -> dict[Column, dict[str, Any]]:
    """The rows of a run by column: its cells and their parts and averages, and the totals of tasks that are in none."""
    kinds = ("cell", "sub-cell", "average")
    rows = sorted((row for row in rows_of(run.cells) if row["kind"] in kinds), key=lambda row: kinds.index(row["kind"]))
    numbers = {(row["name"], row["setting"]): row for row in rows}
    published = {task for part in cells().sub_cells.values() for source in part.sources for task in source.tasks}
    for row in rows_of(run.summary):
        in_cells = row["task"] in published and row["setting"] in cells().settings
        if row["variant"] == TOTAL and not in_cells:
            reason = lacks(row["n"], row["errored"], row["missing"]) or "no variant counts"
            numbers[row["task"], row["setting"]] = {**row, "lacks": reason}
    return numbers


def _title(name: str) -> str:
    if name in cells().averages:
        return cells().averages[name].title
    return cells().title_of(name) if name in cells().cells or name in cells().sub_cells else name


def _setting(setting: str) -> str:
    return " and ".join(SETTING_TITLES.get(part, part) for part in setting.split("+"))
