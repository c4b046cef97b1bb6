"""The verb ``export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from eval.cli.options import Json, RunPaths
from eval.cli.report import Partial, Success
from eval.errors import UserError

WHICH = "csv, md, latex (booktabs), parquet (one row per episode) or lerobot (the recorded frames); separate several by commas."
To = Annotated[list[str], typer.Option("--to", help=WHICH, metavar="FORMAT")]


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("export")(export_verb)


def export_verb(
    runs: RunPaths,
    to: To,
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    partial: Partial = False,
    success: Success = None,
    successes: Annotated[bool, typer.Option("--successes", help="Leave failed episodes out of datasets.")] = False,
    as_json: Json = False,
) -> None:
    """Export results for other programs: tables, all episodes, or recorded frames as LeRobot datasets.

    \b
    Examples:
      simpler-eval export results/mine --to csv,latex --out tables
      simpler-eval export results/a results/b --to parquet --out analysis
      simpler-eval export results/mine --to lerobot --successes --out dataset
    """
    from eval.records.folder import know_tasks, refuse_folder_of_run
    from eval.records.merging import judged, read_runs
    from eval.report.exports import export, formats_of

    formats = formats_of(to)
    if successes and "lerobot" not in formats:
        raise UserError("--successes has no effect without --to lerobot: tables count every episode.")
    if success is not None and formats == ["lerobot"]:
        raise UserError(
            "--success has no effect with --to lerobot alone: a dataset holds the flags of all steps; leave it out."
        )
    given = [judged(run, success) for run in read_runs(runs)]
    refuse_folder_of_run(out)
    for run in given:
        know_tasks(run.path)
    written = export(given, formats, out, partial, successes)
    if as_json:
        typer.echo(json.dumps({"out": str(out), "files": [str(path) for path in written]}, indent=2))
    else:
        for path in written:
            typer.echo(str(path))
