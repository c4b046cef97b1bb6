"""The verb ``doctor``."""

from __future__ import annotations

import json

import typer
from rich.console import Console

from eval.cli.layout import NARROW, show_rows
from eval.cli.options import AssetsOption, Json


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("doctor")(doctor_verb)


def doctor_verb(assets: AssetsOption = None, as_json: Json = False) -> None:
    """Check Python, packages, Vulkan, video encoder, assets and GPU; one line per problem with its fix.

    Exit code 1 if something that every run needs is missing.
    """
    from eval.diagnostics.doctor import doctor_table, passed, run_doctor

    checks = run_doctor(assets)
    fine = passed(checks)
    if as_json:
        typer.echo(json.dumps({"passed": fine, "checks": [check.model_dump() for check in checks]}, indent=2))
    else:
        console = Console()
        if console.width < NARROW:
            rows = [[check.name, "ok" if check.ok else "no", check.detail, check.fix] for check in checks]
            show_rows("", ["check", "state", "detail", "fix"], rows)
        else:
            console.print(doctor_table(checks))
    raise typer.Exit(0 if fine else 1)
