"""The verb ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eval.cli.options import Json, RunPaths
from eval.cli.tables import print_table
from eval.records.folder import know_tasks
from eval.records.merging import load_runs


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("report")(report_verb)


def report_verb(
    runs: RunPaths,
    partial: Annotated[bool, typer.Option(help="Give totals a rate although episodes are missing or errored.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the tables; default: tables/ of the run.")] = None,
    as_json: Json = False,
) -> None:
    """Make the tables of a run anew and print them; works while it is running.

    Several runs of one policy (shards of a plan, or different tasks) are reported as one; their common tables are
    written where --out says.
    """
    data = load_runs(runs, partial)
    for run in runs:
        know_tasks(run)
    print_table(data, as_json, partial, out if len(runs) > 1 else out or data.path / "tables")
