"""The verb ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eval.cli.options import Json, RunPaths
from eval.cli.tables import print_side_by_side, print_table, warn
from eval.records.folder import know_tasks, refuse_folder_of_run
from eval.records.merging import group_runs, judged, merge_runs, read_runs
from eval.records.options import RunOptions
from eval.records.side_by_side import side_by_side

Partial = Annotated[bool, typer.Option("--partial", help=RunOptions.model_fields["partial"].description)]
Success = Annotated[str | None, typer.Option(help=f"{RunOptions.model_fields['success'].description}")]


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("report")(report_verb)


def report_verb(
    runs: RunPaths,
    partial: Partial = False,
    success: Success = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the tables; default of one run: its tables/.")] = None,
    as_json: Json = False,
) -> None:
    """Make the tables of a run anew and print them; works while it is running.

    Runs that belong together (shards of a plan, different tasks of one policy) are counted as one. Others, such as runs of
    several policies, checkpoints or seeds, become the rows of one table. Tables of several runs are written where --out says.
    """
    given = [judged(run, success) for run in read_runs(runs)]
    if out is not None:
        refuse_folder_of_run(out, runs[0] if len(runs) == 1 else None)
    for path in runs:
        know_tasks(path)
    merged = [merge_runs(group, partial) for group in group_runs(given)]
    for note in (note for row in merged for note in row.notes):
        warn(note)
    if len(merged) > 1:
        print_side_by_side(side_by_side([row.data for row in merged], partial), as_json, out)
    else:
        data = merged[0].data
        print_table(data, as_json, partial, out if len(runs) > 1 else out or data.path / "tables", True, out is not None)
