"""The verb ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from eval.cli.options import Json, Real, RunPaths
from eval.cli.tables import show_side_by_side, show_table, warnings_to_stderr
from eval.records.options import RunOptions

Partial = Annotated[bool, typer.Option("--partial", help=RunOptions.model_fields["partial"].description)]
Success = Annotated[str | None, typer.Option(help=f"{RunOptions.model_fields['success'].description}")]
Layout = Annotated[
    Literal["simpler", "tracevla"],
    typer.Option(help="Table layout: SIMPLER's tables (default), or TraceVLA's Table 1 and model cards."),
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
            help="Folder for the tables, and for a self-contained report with videos (report/) that can be moved or "
            "served; default for one run: its tables/ and report/."
        ),
    ] = None,
    real: Real = None,
    as_json: Json = False,
) -> None:
    """Rebuild the tables and the report of a run; also works during the run.

    The report, report/index.html, opens from disk: the result in one sentence, tables beside published ones, where the
    policy fails, and every episode with its video.

    Runs that belong together (shards of a plan, different tasks of one policy) are merged into one. Others, such as runs of
    several policies, checkpoints or seeds, become the rows of one table. Tables and report of several runs are written to
    --out; without it, the report goes to report/ beside the runs if they are in one folder.
    """
    from eval.report.reporting import report

    with warnings_to_stderr():
        done = report(*runs, out=out, layout=layout, partial=partial, success=success, real=real)
    folder = out or done.tables
    if len(done.entries) > 1:
        show_side_by_side(done.side_by_side, as_json, folder, done.page, done.ranking)
    else:
        show_table(done.entries[0].tables, as_json, folder, done.page, errors=True)
    if not done.kept:
        raise typer.Exit(1)
