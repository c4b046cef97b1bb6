"""The verb ``parity policies``: policies of every strength in our world and in the original, compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.assets.options import assets_text
from eval.backends.selection import OWN
from eval.cli.options import PLAN, AssetsFallback, AssetsOption, Json, MaxSteps, Seed, Setting, Suites, Tasks, Variants, plan_of
from eval.cli.report import show_rows
from eval.cli.run import Workers, WorldPython, play_with_progress
from eval.parity.ranking.rounds import EPISODES, LEVELS, POLICY, Round
from eval.records.folder import disk_errors, write_atomically
from eval.rollout.run import default_out

if TYPE_CHECKING:
    from eval.parity.ranking.comparison import PolicyParity

FILES = "parity_policies"

Levels = Annotated[
    list[str] | None,
    typer.Option(
        "--level",
        help=f"Comma list of the oracle's options (noise, delay, seed), may be repeated; default: {', '.join(LEVELS)}.",
        rich_help_panel=PLAN,
    ),
]
Episodes = Annotated[
    int | None,
    typer.Option(help=f"Of every cell, spread evenly; default {EPISODES}.", min=1, rich_help_panel=PLAN),
]
ComparedWorld = Annotated[
    str | None,
    typer.Option("--world", help="Play in this world alone, simpler-eval or simpler-env, as on a host that lacks the other."),
]
ComparedOut = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the comparison, default: a new results/<date>-parity-policies. The same one goes on; given alone, "
        "with all runs complete, it is only compared."
    ),
]


def add_to(parity: typer.Typer) -> None:
    """Register the verb."""
    parity.command("policies")(parity_policies_verb)


def parity_policies_verb(
    level: Levels = None,
    episodes: Episodes = None,
    suite: Suites = None,
    task: Tasks = None,
    setting: Setting = "visual_matching",
    variant: Variants = None,
    seed: Seed = None,
    max_steps: MaxSteps = None,
    world: ComparedWorld = None,
    world_python: WorldPython = None,
    assets: AssetsOption = None,
    assets_fallback: AssetsFallback = False,
    workers: Workers = None,
    out: ComparedOut = None,
    as_json: Json = False,
) -> None:
    """Does our world rank policies as the original simulator does? Plays oracles of several strengths in both.

    Default: the 15 cells of visual matching. Leaves parity_policies.md, .json and .png; exit 1 if a limit is missed.

    Examples:

      simpler-eval parity policies --world-python env/bin/python --assets PACK

      simpler-eval parity policies --level noise=0 --level noise=0.3,delay=1 --task widowx_stack_cube --episodes 24

      simpler-eval parity policies --out results/mine
    """
    from eval.parity.ranking.comparison import compare_policies
    from eval.parity.ranking.rounds import default_plan, is_complete, rounds_of, worlds_of

    names = worlds_of(world)
    planned = any(value is not None for value in (level, episodes, suite, task, variant, seed, max_steps, world))
    folder = out or default_out("parity-policies")
    if planned or out is None or not is_complete(out):
        given = suite or task
        plan = plan_of(suite, task, setting, variant, seed, None, None, max_steps) if given else default_plan(max_steps)
        rounds = rounds_of(level or LEVELS, plan, episodes or EPISODES)
        _play(folder, names, rounds, assets_text(assets, assets_fallback), world_python, workers)
        if world is not None and not is_complete(folder):
            typer.echo(f"{folder}/{world} is complete; nothing is compared before the other world is.", err=True)
            return
    found = compare_policies(folder)
    _write(folder, found)
    _show(folder, found, as_json)
    raise typer.Exit(0 if found.passed else 1)


def _play(
    folder: Path, worlds: tuple[str, ...], rounds: list[Round], assets: str | None, python: str | None, workers: int | None
) -> None:
    """What is missing; what cannot be played is said before anything is."""
    from eval.backends.selection import find_backend
    from eval.parity.ranking.rounds import is_played

    left = [(world, step) for world in worlds for step in rounds if not is_played(folder / world / step.name, step)]
    for world in dict.fromkeys(world for world, _ in left):
        specs = [spec for place, step in left if place == world for spec in step.plan]
        find_backend(world, python if world != OWN else None, assets if world == OWN else None, "raster", specs)
    try:
        for world, step in left:
            _run(folder / world / step.name, world, step, assets, python, workers)
    except typer.Exit:
        typer.echo(f"The whole comparison goes on with the same command and --out {folder}", err=True)
        raise


def _run(path: Path, world: str, step: Round, assets: str | None, python: str | None, workers: int | None) -> None:
    """One round in one world; the oracle looks at no picture, so nothing is drawn."""
    own = world == OWN
    options = {
        "policy_args": step.options, "world": world, "workers": workers, "rt": "raster",
        "assets": assets if own else None, "world_python": None if own else python,
    }  # fmt: skip
    play_with_progress(step.plan, POLICY, path, options)


def _write(folder: Path, found: PolicyParity) -> None:
    from eval.parity.ranking.plot import draw
    from eval.parity.ranking.table import markdown

    with disk_errors(folder):
        write_atomically(folder / f"{FILES}.json", json.dumps(found.to_json(), indent=2, default=str) + "\n")
        write_atomically(folder / f"{FILES}.md", markdown(found))
    draw(found, folder / f"{FILES}.png")


def _show(folder: Path, found: PolicyParity, as_json: bool) -> None:
    from eval.parity.ranking.table import COLUMNS, LEVEL_COLUMNS, heading, level_rows, rows

    if as_json:
        typer.echo(json.dumps({"out": str(folder), **found.to_json()}, indent=2, default=str))
        return
    show_rows(heading(found), COLUMNS, rows(found))
    show_rows("Mean of the cells by level", LEVEL_COLUMNS, level_rows(found))
    for name, text in found.titles.items():
        typer.echo(f"{name}: {text}")
    typer.echo(f"{len(found.flipped)} episodes end differently; they stand in {folder / FILES}.md")
    typer.echo(folder / f"{FILES}.png")
