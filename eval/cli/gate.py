"""The verb ``gate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from eval.cli.compare import Common
from eval.cli.options import Json
from eval.cli.report import Success
from eval.cli.tables import warnings_to_stderr


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("gate")(gate_verb)


def gate_verb(
    run: Annotated[Path, typer.Argument(help="Folder of the run to check; several parts separated by commas.")],
    baseline: Annotated[
        Path, typer.Option(help="Folder of the baseline run with the same episodes; several parts separated by commas.")
    ],
    margin: Annotated[float, typer.Option(help="Acceptable loss of success rate in points, such as 3.")],
    common: Common = False,
    success: Success = None,
    as_json: Json = False,
) -> None:
    """Pass or fail a policy change in CI: one line and an exit code.

    0: shown not worse than the baseline by the margin. 1: shown worse than the baseline, and not shown to be within the
    margin. 3: neither; the line says how many more initial states are needed, or that episodes lack a verdict (an error may
    be a failure). 2: invalid input, as everywhere. The decision uses a paired interval, of which each end is wrong in 5 of
    100 cases.

    \b
    Example:
      simpler-eval gate results/candidate --baseline results/main --margin 3
    """
    from eval.report.comparing import gate

    with warnings_to_stderr():
        judge = gate(run, baseline, margin, common=common, success=success)
    typer.echo(json.dumps(judge.to_json(), indent=2) if as_json else judge.line)
    raise typer.Exit(judge.outcome.value)
