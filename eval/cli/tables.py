"""Tables of results on the terminal, for all verbs that show some."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator
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
from eval.records.tables import RunTables, conventions_of, shown_rows, tables_of

if TYPE_CHECKING:
    import pandas as pd

    from eval.comparison.real_robot import RealRobot

SAID = ("setting", "errored", "missing", "counted", "of")
"""Columns that go into the heading where they are the same in all rows."""


def print_table(data: RunData, as_json: bool, partial: bool, folder: Path, page: Path | None = None) -> bool:
    """Write the tables of a run into a folder, and show them.

    Tables that cannot be written there (the disk is full) are shown all the same, with a warning.

    Args:
        data: the run.
        as_json: print one JSON object instead.
        partial: give totals a rate although episodes are missing or errored.
        folder: where the tables are written.
        page: of the run, which is named last.

    Returns:
        Whether they are written.
    """
    tables = tables_of(data, partial)
    problem = ""
    try:
        tables.write(folder)
    except UserError as error:
        problem = str(error)
    show_table(tables, as_json, None if problem else folder, page)
    if problem:
        warn(f"the tables are not kept: {problem}")
    return not problem


def show_table(tables: RunTables, as_json: bool, folder: Path | None, page: Path | None, errors: bool = False) -> None:
    """Show the tables of a run, and where they and the page lie if they do; ``errors``: also why episodes have no verdict."""
    data = tables.run
    if as_json:
        typer.echo(json.dumps({"out": str(data.path), "page": _path(page), **_as_data(tables)}, indent=2))
        return
    _print_run(tables, errors)
    if folder is not None:
        typer.echo(f"{folder}/summary.md")
    if any(record.video and (data.path / record.video).exists() for record in data.records.values()):
        typer.echo(f"{data.path}/videos")
    if any((data.path / "dataset").glob("*/meta/info.json")):
        typer.echo(f"{data.path}/dataset")
    if page is not None:
        typer.echo(str(page))


def _print_run(tables: RunTables, errors: bool) -> None:
    show_text(tables.title)
    print_rows("", tables.summary)
    for line in conventions_of(tables.summary):
        show_text(line, "  ")
    if len(tables.cells):
        columns, rows = shown_cells(tables.cells)
        show_rows("Cells of published tables", columns, rows, SAID)
        for line in conventions(tables.cells):
            show_text(line, "  ")
    if errors and tables.errors:
        typer.echo("Errors")
        for line in error_lines(tables.errors):
            show_text(f"- {line}", "  ")


def show_side_by_side(
    runs: SideBySide, as_json: bool, folder: Path | None, page: Path | None = None, ranking: RealRobot | None = None
) -> None:
    """Show several runs in one table, and where the common tables and the page lie if they do.

    ``ranking``: the same policies beside the real-robot table, if it has any of them.
    """
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


@contextlib.contextmanager
def warnings_to_stderr() -> Iterator[None]:
    """What a public function warns of within, as our own lines on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            warn(str(warning.message))


def warn(text: str) -> None:
    """One line on stderr."""
    typer.echo("simpler-eval: " + visible(" ".join(text.split())), err=True)
