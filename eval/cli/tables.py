"""Tables on the terminal, for all verbs that show some."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from eval.records.cell_tables import SHOWN, cell_table, conventions, shown_cells
from eval.records.folder import RunData
from eval.records.tables import COLUMNS, summary, title, write_tables

if TYPE_CHECKING:
    import pandas as pd

PIPED_WIDTH = 160
"""Columns of a table that goes into a file or a pipe."""


def print_table(data: RunData, as_json: bool, partial: bool, folder: Path | None) -> None:
    """Show the tables of a run, and write them into a folder if there is one."""
    if folder is not None:
        write_tables(data, partial, folder)
    table, cells = summary(data.plan, data.records, partial), cell_table(data.plan, data.records, partial)
    heading = title(data.header, data.plan)
    if as_json:
        content = {name: json.loads(t.to_json(orient="records")) for name, t in (("rows", table), ("cells", cells))}
        typer.echo(json.dumps({"out": str(data.path), "title": heading, **content}, indent=2))
        return
    print_rows(heading, COLUMNS, table)
    if len(cells):
        show_rows("Cells of published tables", SHOWN, shown_cells(cells))
        typer.echo("".join(f"{line}\n" for line in conventions(cells)), nl=False)
    if folder is not None:
        typer.echo(f"{folder}/summary.md")
    if any(record.video for record in data.records.values()):
        typer.echo(f"{data.path}/videos")


def print_rows(heading: str, columns: Sequence[str], table: pd.DataFrame) -> None:
    """Show a table of results; rates with three decimals, what is not known empty."""
    shown = table.astype(object).where(table.notna(), "")
    if "counted" in shown:
        shown["counted"] = shown["counted"].map({True: "yes", False: "no"})
    rows = [[f"{value:.3f}" if isinstance(value, float) else value for value in row] for row in shown.to_numpy()]
    show_rows(heading, columns, rows)


def show_rows(heading: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; into a file or a pipe with a fixed width."""
    table = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=PIPED_WIDTH)
    console.print(table, markup=False)
