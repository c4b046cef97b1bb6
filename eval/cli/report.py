"""The verb ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from eval.cli.options import Json, Real, RunPaths
from eval.cli.tables import kept, print_side_by_side, print_table, warn
from eval.errors import UserError
from eval.records.folder import RunData, know_tasks, refuse_folder_of_run
from eval.records.merging import judged, read_runs
from eval.records.options import RunOptions
from eval.records.side_by_side import side_by_side
from eval.report import FOLDER

Partial = Annotated[bool, typer.Option("--partial", help=RunOptions.model_fields["partial"].description)]
Success = Annotated[str | None, typer.Option(help=f"{RunOptions.model_fields['success'].description}")]
Layout = Annotated[
    Literal["simpler", "tracevla"],
    typer.Option(help="Whose columns the page has: SIMPLER's tables (default), or TraceVLA's Table 1 and model cards."),
]


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("report")(report_verb)


def report_verb(
    runs: RunPaths,
    partial: Partial = False,
    success: Success = None,
    layout: Layout = "simpler",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the tables, and for a page with videos of its own, report/, that can be moved and served alone; "
            "default of one run: its tables/ and report/."
        ),
    ] = None,
    real: Real = None,
    as_json: Json = False,
) -> None:
    """Make the tables and the page of a run anew; works while it is running.

    The page, report/index.html, opens from disk: the answer in a sentence, tables beside published ones, where the policy
    fails, and every episode with its video.

    Runs that belong together (shards of a plan, different tasks of one policy) are counted as one. Others, such as runs of
    several policies, checkpoints or seeds, become the rows of one table. Tables of several runs are written where --out says;
    their page, too, or else into report/ beside the runs if they lie in one folder.
    """
    from eval.report.entries import entries_of
    from eval.report.page import write_page_of

    given = [judged(run, success) for run in read_runs(runs)]
    if out is not None:
        refuse_folder_of_run(out, runs[0] if len(runs) == 1 else None)
    for path in runs:
        know_tasks(path)
    entries = entries_of(given, partial)
    for note in (note for entry in entries for note in entry.notes):
        warn(note)
    if real and len(entries) < 2:
        raise UserError("--real has no effect: a ranking needs runs of several policies; leave it out.")
    folder = page_folder(given, out)
    page = None
    if folder is not None:
        page = kept(lambda: write_page_of(entries, folder, layout, out is not None and folder == out / FOLDER), out is not None)
    if len(entries) > 1:
        from eval.comparison.real_robot import rank

        rows = [entry.run for entry in entries]
        print_side_by_side(side_by_side(rows, partial), as_json, out, page, rank(rows, real or ()))
    else:
        data = entries[0].run
        tables = out if len(runs) > 1 else out or data.path / "tables"
        print_table(data, as_json, partial, tables, True, out is not None, page)


def page_folder(runs: list[RunData], out: Path | None) -> Path | None:
    """Where the page of some runs is written: None if there is no such place, since they lie in different folders."""
    if len(runs) == 1 and (out is None or out.resolve() == runs[0].path.resolve() / "tables"):
        return runs[0].path / FOLDER
    if out is not None:
        return out / FOLDER
    parents = {run.path.resolve().parent for run in runs}
    return runs[0].path.parent / FOLDER if len(parents) == 1 else None
