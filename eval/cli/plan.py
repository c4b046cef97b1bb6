"""The verb ``plan``."""

from __future__ import annotations

import json
from collections import Counter

import typer

from eval.cli.options import Json, expand_options
from eval.cli.tables import show_rows
from eval.plan.options import PlanOptions


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("plan")(plan_verb)


@expand_options
def plan_verb(plan: PlanOptions, as_json: Json = False) -> None:
    """Show what `run` with the same options would play, without playing it."""
    specs = plan.plan()
    if as_json:
        typer.echo(json.dumps({"episodes": [{"id": spec.id, **spec.model_dump(mode="json")} for spec in specs]}))
        return
    counts = Counter((spec.task, spec.setting, spec.variant) for spec in specs)
    show_rows(f"{len(specs)} episodes", ["task", "setting", "variant", "episodes"], [[*k, n] for k, n in counts.items()])
