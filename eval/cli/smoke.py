"""The verb ``smoke``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from eval.cli.layout import show_text
from eval.cli.options import AssetsOption, Json, Only, RenderDevice, expand_options
from eval.cli.stop_signals import exit_code_of, stop_like_ctrl_c
from eval.plan.options import PlanOptions


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("smoke")(smoke_verb)


@expand_options
def smoke_verb(
    plan: Annotated[PlanOptions, Only(("placements",))],
    assets: AssetsOption = None,
    out: Annotated[Path | None, typer.Option(help="Keep the run in this folder; default: a temporary folder.")] = None,
    render_device: RenderDevice = None,
    as_json: Json = False,
) -> None:
    """Run one short episode per robot and check images, table and videos; under 3 minutes on 2 cores."""
    from eval.diagnostics.smoke import run_smoke

    stop_like_ctrl_c()
    try:
        checks = run_smoke(assets, out, render_device=render_device, placements=plan.placements)
    except KeyboardInterrupt as stop:
        typer.echo("Stopped.", err=True)
        raise typer.Exit(exit_code_of(stop)) from None
    passed = all(check.passed for check in checks)
    if as_json:
        typer.echo(json.dumps({"passed": passed, "checks": [vars(check) for check in checks]}, indent=2))
    else:
        for check in checks:
            show_text(f"{'ok    ' if check.passed else 'FAILED'} {check.name}: {check.detail}", " " * 7)
    raise typer.Exit(0 if passed else 1)
