"""Tables of results on the terminal, for all verbs that show some."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from eval.cli.layout import show_rows as show_rows
from eval.cli.layout import show_text
from eval.errors import UserError
from eval.records.cell_tables import conventions, shown_cells
from eval.records.errors import error_lines
from eval.records.escaping import visible
from eval.records.folder import RunData
from eval.records.side_by_side import SideBySide
from eval.records.tables import RunTables, shown_rows, tables_of

if TYPE_CHECKING:
    import pandas as pd

    from eval.comparison.real_robot import RealRobot

SAID = ("setting", "errored", "missing", "counted", "of")
"""Columns that go into the heading where they are the same in all rows."""


def kept(write: Callable[[], Path], asked: bool) -> Path | None:
    """The page of a run that was written; None with a warning where the disk refuses one that nobody asked for."""
    try:
        return write()
    except UserError as error:
        if asked:
            raise
        warn(f"the page is not kept: {error}")
        return None


def print_table(
    data: RunData,
    as_json: bool,
    partial: bool,
    folder: Path | None,
    errors: bool = False,
    asked: bool = False,
    page: Path | None = None,
) -> None:
    """Show the tables of a run, and write them into a folder if there is one.

    Tables that cannot be written there (the run is read-only) are shown all the same, with a warning.

    Args:
        data: the run.
        as_json: print one JSON object instead.
        partial: give totals a rate although episodes are missing or errored.
        folder: where the tables are written.
        errors: also list what went wrong in episodes without a verdict.
        asked: the user named the folder: what cannot be written there is an error.
        page: of the run, which is named last.
    """
    tables = tables_of(data, partial)
    problem = ""
    if folder is not None:
        try:
            tables.write(folder)
        except UserError as error:
            if asked:
                raise
            problem = str(error)
    if as_json:
        typer.echo(json.dumps({"out": str(data.path), "page": _path(page), **_as_data(tables)}, indent=2))
    else:
        _print_run(tables, errors)
        if folder is not None and not problem:
            typer.echo(f"{folder}/summary.md")
        if any(record.video for record in data.records.values()):
            typer.echo(f"{data.path}/videos")
        if (data.path / "dataset").is_dir():
            typer.echo(f"{data.path}/dataset")
        if page is not None:
            typer.echo(str(page))
    if problem:
        warn(f"the tables are not kept: {problem}")


def _print_run(tables: RunTables, errors: bool) -> None:
    show_text(tables.title)
    print_rows("", tables.summary)
    if len(tables.cells):
        columns, rows = shown_cells(tables.cells)
        show_rows("Cells of published tables", columns, rows, SAID)
        for line in conventions(tables.cells):
            show_text(line, "  ")
    if errors and tables.errors:
        typer.echo("Errors")
        for line in error_lines(tables.errors):
            show_text(f"- {line}", "  ")


def print_side_by_side(
    runs: SideBySide, as_json: bool, folder: Path | None, page: Path | None = None, ranking: RealRobot | None = None
) -> None:
    """Show several runs in one table, and write the common tables into a folder if there is one.

    ``ranking``: the same policies beside the real-robot table, if it has any of them.
    """
    if folder is not None:
        runs.write(folder)
    if as_json:
        content = [
            {"run": label, "out": str(tables.run.path), **_as_data(tables)}
            for label, tables in zip(runs.labels, runs.runs, strict=True)
        ]
        real = {} if ranking is None else {"real_robot": ranking.to_json()}
        typer.echo(json.dumps({"out": _path(folder), "page": _path(page), "runs": content, **real}, indent=2))
        return
    show_rows(runs.heading, *runs.table())
    for line in (*runs.titles, *runs.conventions):
        show_text(line, "  ")
    print_ranking(ranking)
    if folder is not None:
        typer.echo(f"{folder}/cells.md")
    if page is not None:
        typer.echo(str(page))


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)


def print_ranking(ranking: RealRobot | None) -> None:
    """Show how policies rank in simulation and on real robots, if that is known."""
    if ranking is not None:
        show_rows("Against real robots", ranking.columns, ranking.rows())
        for line in ranking.notes:
            show_text(line, "  ")


def _as_data(tables: RunTables) -> dict[str, Any]:
    rows = {
        name: json.loads(table.to_json(orient="records")) for name, table in (("rows", tables.summary), ("cells", tables.cells))
    }
    errors = [{"error": entry.error, "count": entry.count} for entry in tables.errors]
    return {"title": tables.title, "success": tables.run.header.options.success, **rows, "errors": errors}


def print_rows(heading: str, table: pd.DataFrame) -> None:
    """Show a table of results: rates in percent with their intervals, or what is missing."""
    show_rows(heading, *shown_rows(table), SAID)


def warn(text: str) -> None:
    """One line on stderr."""
    typer.echo("simpler-eval: " + visible(" ".join(text.split())), err=True)
