"""The verb ``train``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from eval.cli.options import Json, expand_options
from eval.options import Excludes
from eval.training.options import TrainOptions
from eval.training.start import CHANGEABLE

FIXED = (*(name for name in TrainOptions.model_fields if name not in CHANGEABLE), "out")
"""What a training that goes on has from its folder."""
RULES = (Excludes("resume", FIXED, "a training goes on as it was begun"),)


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("train")(train_verb)


@expand_options(rules=RULES)
def train_verb(
    options: TrainOptions,
    out: Annotated[Path | None, typer.Option(help="Output folder; default: a new results/<date>-train-<policy>.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Continue the training in this folder.")] = None,
    as_json: Json = False,
) -> None:
    """Train a policy on demonstrations; write checkpoints for `run`.

    \b
    Examples:
      simpler-eval train --init small --preset small --dataset data/widowx --out results/mine
      simpler-eval train --checkpoint DIR --preset tracevla_phi3 --dataset data/widowx
      simpler-eval train --checkpoint DIR --lora-rank 32 --dataset data/widowx
      simpler-eval train --resume results/mine
    """
    from eval.rollout.run import default_out
    from eval.training.start import begin, go_on

    def say(line: str) -> None:
        typer.echo(line, err=True)

    if resume is not None:
        trained, stopped = go_on(options, resume, say)
        folder = resume
    else:
        folder = out or default_out(f"train-{options.policy}")
        trained, stopped = begin(options, folder, say)
    further = f"simpler-eval train --resume {folder}"
    if as_json:
        content = {
            "checkpoint": None if trained is None else str(trained.checkpoint),
            "step": None if trained is None else trained.step,
            "complete": trained is not None and trained.complete,
        }
        typer.echo(json.dumps(content, indent=2))
    elif trained is None:
        typer.echo(f"Go on: {further}")
    else:
        play = f"simpler-eval run --policy {trained.policy} --checkpoint {trained.checkpoint} --placements heldout --task TASK"
        typer.echo(f"{trained.checkpoint}\nPlay it: {play}" + ("" if trained.complete else f"\nGo on: {further}"))
    if stopped is not None:
        raise typer.Exit(128 + stopped)
