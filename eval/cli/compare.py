"""The verb ``compare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.cli.layout import show_rows, show_text
from eval.cli.options import Json, Real
from eval.cli.report import Success
from eval.cli.tables import print_ranking, warnings_to_stderr

if TYPE_CHECKING:
    from eval.comparison.comparison import Comparison
    from eval.comparison.real_robot import RealRobot

Common = Annotated[bool, typer.Option("--common", help="If the plans differ, compare the episodes that they share.")]


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("compare")(compare_verb)


def compare_verb(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Two or more run folders, the reference first. Separate the parts of one run by commas, or give the "
            "folder that contains them."
        ),
    ],
    common: Common = False,
    success: Success = None,
    real: Real = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for index.html with videos of the episodes that changed, compare.md, .tex and .json."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare policies on the same initial states, episode by episode; the first run is the reference.

    The verdict is McNemar's exact test over all episodes, at 5 %; it is fixed, so that no test can be chosen after the fact.
    Cells have paired intervals and Holm's p values. With --out, a page shows both videos of every episode that changed.

    A policy run in parts (--shard 1/4 ... 4/4) is one side: give its folders separated by commas, the folder that contains
    them, or simply all of them; runs that `report` merges are compared as one.

    \b
    Examples:
      simpler-eval compare results/reference results/candidate
      simpler-eval compare results/reference results/a results/b --out results/comparison
      simpler-eval compare results/reference results/s1,results/s2,results/s3,results/s4
    """
    from eval.report.comparing import compare

    with warnings_to_stderr():
        compared = compare(*runs, common=common, success=success, real=real, out=out)
    if as_json:
        from eval.comparison.exports import to_json

        content = to_json(compared.comparison, compared.ranking)
        typer.echo(json.dumps({"out": None if out is None else str(out), **content}, indent=2))
        return
    _show(compared.comparison, compared.ranking)
    if out is not None:
        typer.echo(out / "index.html")


def _show(comparison: Comparison, ranking: RealRobot | None) -> None:
    from eval.comparison.wording import COLUMNS, MEANING_COLUMNS, meaning_rows, method, rows, verdict, warnings_of

    for against in comparison.others:
        show_text(verdict(comparison, against))
    typer.echo()
    for against in comparison.others:
        show_rows(f"{against.side.label} (other) against {comparison.reference.label} (reference)", COLUMNS, rows(against))
        show_rows("By each meaning of success, same rollouts", MEANING_COLUMNS, meaning_rows(against))
    print_ranking(ranking)
    for side in (comparison.reference, *(against.side for against in comparison.others)):
        show_text(f"{side.label}: {side.title}", "  ")
    for line in (*warnings_of(comparison), *method(comparison)):
        show_text(line, "  ")
