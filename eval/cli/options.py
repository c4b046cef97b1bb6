"""Options that several verbs share, and the plan they describe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from eval.episode import EpisodeSpec
from eval.errors import UserError

PLAN, PLAY, MODEL = "What is run", "How it is run", "The model of a policy that is a neural network"

Suites = Annotated[
    list[str] | None,
    typer.Option("--suite", help="Suite by name, or the path of a suite file; may be repeated.", rich_help_panel=PLAN),
]
Tasks = Annotated[
    list[str] | None,
    typer.Option(
        "--task", help="Task by name, or the path of a task file, instead of a suite; may be repeated.", rich_help_panel=PLAN
    ),
]
Setting = Annotated[
    str,
    typer.Option(
        help="Which sweep of the tasks: visual_matching, prepackaged (seeded random scenes), ... see `list`.",
        rich_help_panel=PLAN,
    ),
]
Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant", help="Only variants of the tasks that match, such as 'standing/*'; may be repeated.", rich_help_panel=PLAN
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(help="Seed of the first prepackaged scene, and of --sample.", rich_help_panel=PLAN),
]
Limit = Annotated[int | None, typer.Option(help="At most so many episodes a task, evenly over the grid.", rich_help_panel=PLAN)]
Sample = Annotated[
    float | None, typer.Option(help="This share (0..1] of the grid, evenly, drawn by --seed.", rich_help_panel=PLAN)
]
MaxSteps = Annotated[int | None, typer.Option(help="Step limit instead of the task's own.", rich_help_panel=PLAN)]
Shard = Annotated[
    str | None,
    typer.Option(help="Only this part, such as 2/8; `report` puts the parts together.", rich_help_panel=PLAN),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
AssetsOption = Annotated[
    str | None,
    typer.Option(
        "--assets",
        envvar="SIMPLER_EVAL_ASSETS",
        help="Asset pack folders, separated by commas, searched in order. What none of them holds is a stand-in.",
    ),
]
AssetsFallback = Annotated[
    bool,
    typer.Option(help="Where a pack's file is broken, take the next pack or the stand-in; the run records which."),
]
RunPaths = Annotated[
    list[Path],
    typer.Argument(help="Folder of a run, such as results/2026-01-31_120000-oracle; several are reported as one."),
]


def plan_of(
    suites: list[str] | None,
    tasks: list[str] | None,
    setting: str,
    variant: list[str] | None,
    seed: int | None,
    limit: int | None,
    sample: float | None,
    max_steps: int | None,
) -> list[EpisodeSpec]:
    """The plan that the options describe."""
    from eval.plan.suites import make_plan

    return make_plan(
        suites,
        tuple(tasks or ()),
        setting,
        variants=tuple(variant or ()),
        seed=seed,
        limit=limit,
        sample=sample,
        max_steps=max_steps,
    )


def policy_args_of(texts: list[str] | None) -> dict[str, str]:
    """``["path=a.npz"]`` -> ``{"path": "a.npz"}``."""
    pairs = {}
    for text in texts or ():
        match = re.fullmatch(r"([A-Za-z_]\w*)=(.*)", text, re.DOTALL)
        if not match:
            raise UserError(f'--policy-arg "{text}" is not NAME=VALUE, such as path=actions.npz.')
        pairs[match[1]] = match[2]
    return pairs
