"""The verb ``plan``."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated

import typer

from eval.cli.options import Json, Only, expand_options, filmed_by_default
from eval.nouns import noun
from eval.plan.options import PlanOptions
from eval.records.options import RunOptions

SCREEN = 40
"""Variants that are listed one by one; of more there is a row a task."""


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("plan")(plan_verb)


@expand_options
def plan_verb(
    plan: PlanOptions,
    options: Annotated[RunOptions, Only(("repeat", "video", "record", "no_actions"))],
    as_json: Json = False,
) -> None:
    """Show what `run` would do with the same options: episodes, steps and disk space."""
    from eval.records.disk import expected_bytes, readable

    episodes = plan.chosen()
    options.refuse_too_many(len(episodes))
    size = expected_bytes(episodes, filmed_by_default(plan, options))
    steps = options.repeat * sum(episode.max_steps for episode in episodes)
    if as_json:
        from eval.plan.axes import built

        specs = [{"id": spec.id, **spec.model_dump(mode="json")} for spec in built(episodes)]
        typer.echo(json.dumps({"episodes": specs, "repeat": options.repeat, "max_steps": steps, "max_bytes": size}))
        return
    from eval.cli.layout import show_rows, show_text

    times = f" {options.repeat} times" if options.repeat > 1 else ""
    said = (
        f"{len(episodes):,} {noun(len(episodes), 'episode')}{times}, at most {steps:,} control "
        f"{noun(steps, 'step')} and about {readable(size)} on disk"
    )
    said += "" if plan.placements == "published" else f"; {plan.placements} placements, not the published ones"
    counts = Counter((episode.task, episode.setting, episode.variant) for episode in episodes)
    if len(counts) <= SCREEN:
        show_rows(said, ["task", "setting", "variant", "episodes"], [[*cell, number] for cell, number in counts.items()])
        return
    totals = Counter((episode.task, episode.setting) for episode in episodes)
    variants = Counter(cell[:2] for cell in counts)
    show_rows(said, ["task", "setting", "variants", "episodes"], [[*cell, variants[cell], totals[cell]] for cell in totals])
    show_text("The variants of a task: simpler-eval plan --task TASK --setting SETTING. Each episode: --json.")
