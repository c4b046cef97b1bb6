"""Verbs that check the world and the machine: ``parity`` and ``doctor``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from eval.cli.options import AssetsOption, Json

parity = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Compare the world with recordings of the original.")


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.add_typer(parity, name="parity")
    app.command("doctor")(doctor_verb)


@parity.command("world")
def parity_world_verb(
    folder: Annotated[Path, typer.Argument(help="Folder of recordings (one folder a key).")],
    only: Annotated[str, typer.Option(help="Comma list of key patterns, such as 'coke_*,carrot_*'.")] = "",
    assets: AssetsOption = None,
    as_json: Json = False,
) -> None:
    """Kinematics, controllers, resets and replays against recordings; exit 1 if a check misses its limit."""
    from eval.parity.world import compare_world

    report = compare_world(folder, [pattern.strip() for pattern in only.split(",") if pattern.strip()], assets)
    content = report.to_json()
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        for check in content["checks"]:
            verdict = "ok    " if check["passed"] else "MISSED"
            numbers = f"{check['worst']:.3g} (limit {check['limit']:.3g}) {check['unit']}, n {check['n']}"
            typer.echo(f"{verdict} {check['key']:28} {check['check']:32} {numbers}")
        for note in content.get("notes", ()):
            typer.echo(note)
    raise typer.Exit(0 if content["passed"] else 1)


def doctor_verb(assets: AssetsOption = None, as_json: Json = False) -> None:
    """Look at Python, packages, Vulkan, video encoder, assets and GPU; one mending line for each lack.

    Exit code 1 if something is lacking that every run needs.
    """
    from eval.doctor import doctor_table, passed, run_doctor

    checks = run_doctor(assets)
    fine = passed(checks)
    if as_json:
        typer.echo(json.dumps({"passed": fine, "checks": [check.model_dump() for check in checks]}, indent=2))
    else:
        Console().print(doctor_table(checks))
    raise typer.Exit(0 if fine else 1)
