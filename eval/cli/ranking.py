"""The verb ``parity policies``: policies of every strength in our world and in the original, compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.backends.selection import ORIGINAL, OWN
from eval.cli.options import AllBut, Json, ModelOptions, Only, expand_options
from eval.cli.progress import play_with_progress
from eval.cli.tables import show_rows
from eval.errors import UserError
from eval.nouns import counted, noun
from eval.parity.ranking.rounds import EPISODES, LEVELS, Round
from eval.plan.options import PlanOptions
from eval.records.folder import RUN_FILE, disk_errors, write_atomically
from eval.records.options import RunOptions
from eval.rollout.run import default_out

if TYPE_CHECKING:
    from eval.parity.ranking.comparison import PolicyParity

FILES = "parity_policies"
HELPS = {"policy": ("oracle (default), or as for run; policies that use images get rasterised ones in both simulators.")}

Levels = Annotated[
    list[str] | None,
    typer.Option(
        "--level",
        help="One level: comma-separated options of the policy, NAME=VALUE; may be repeated. Default for the oracle: "
        f"{', '.join(LEVELS)}; for other policies: one level without options.",
    ),
]
Episodes = Annotated[
    int | None,
    typer.Option(help=f"Episodes per cell, spread evenly; default {EPISODES}.", min=1, max=10_000),
]
ComparedWorld = Annotated[
    str | None,
    typer.Option(
        "--world", help="Run only this simulator, simpler-eval or simpler-env, for example on a host that lacks the other."
    ),
]
ComparedOut = Annotated[
    Path | None,
    typer.Option(
        help="Output folder; default: a new results/<date>-parity-policies. The same one continues; given alone, "
        "with all runs complete, it is only compared."
    ),
]


def add_to(parity: typer.Typer) -> None:
    """Register the verb."""
    parity.command("policies")(parity_policies_verb)


@expand_options
def parity_policies_verb(
    plan: Annotated[PlanOptions, AllBut(("limit", "sample", "shard"))],
    options: Annotated[
        RunOptions, Only(("policy", "world_python", "assets", "assets_fallback", "workers", "render_device"), HELPS)
    ],
    model: ModelOptions,
    level: Levels = None,
    episodes: Episodes = None,
    world: ComparedWorld = None,
    out: ComparedOut = None,
    as_json: Json = False,
) -> None:
    """Check that both simulators rank policies alike: runs oracles of several strengths in both.

    Default: the 15 cells of visual matching. Writes parity_policies.md, .json and .png; exit 1 if a limit is missed.
    For a policy with one level, only success rates are compared.

    Examples:

      simpler-eval parity policies --world-python env/bin/python --assets PACK

      simpler-eval parity policies --level noise=0 --level noise=0.3,delay=1 --task widowx_stack_cube --episodes 24

      simpler-eval parity policies --policy scripted_vision --task widowx_carrot_on_plate --episodes 24

      simpler-eval parity policies --out results/mine
    """
    from eval.parity.ranking.comparison import compare_policies
    from eval.parity.ranking.rounds import default_plan, is_complete, rounds_of, worlds_of

    names = worlds_of(world)
    _refuse_what_no_world_reads(names, options)
    chosen = any(value is not None for value in (level, episodes, world)) or "policy" in options.model_fields_set
    planned = chosen or plan.model_fields_set or model.model_fields_set
    folder = out or default_out("parity-policies")
    if (folder / RUN_FILE).exists():
        raise UserError(f"--out {folder} is the folder of a run; a comparison needs a folder of its own.")
    if not planned and options.model_fields_set - {"assets"} and out is not None and is_complete(out):
        raise UserError(f"All runs in {out} are complete, so nothing is played; give --out alone to compare them.")
    if planned or out is None or not is_complete(out):
        specs = plan.plan() if plan.suites or plan.tasks else default_plan(plan.max_steps)
        rounds = rounds_of(level or (), specs, episodes or EPISODES, options.policy, model.args())
        _play(folder, names, rounds, options)
        if world is not None and not is_complete(folder):
            typer.echo(f"{folder}/{world} is complete; nothing is compared before the other world is.", err=True)
            return
    comparison = compare_policies(folder)
    _write(folder, comparison)
    _show(folder, comparison, as_json)
    raise typer.Exit(0 if comparison.passed else 1)


def _refuse_what_no_world_reads(worlds: tuple[str, ...], options: RunOptions) -> None:
    """Raises UserError for an option of a world that is not played in."""
    if OWN not in worlds and options.assets_fallback:
        raise UserError(f"--assets-fallback has no effect: nothing is played in {OWN}; leave it out.")
    if worlds == (OWN,) and options.world_python is not None:
        raise UserError(f"--world-python has no effect: only {ORIGINAL} has an interpreter of its own; leave it out.")


def _play(folder: Path, worlds: tuple[str, ...], rounds: list[Round], options: RunOptions) -> None:
    """What is missing; what cannot be played is said before anything is."""
    from eval.parity.ranking.rounds import is_played
    from eval.rollout.run import find_backend_of

    left = [(world, step) for world in worlds for step in rounds if not is_played(folder / world / step.name, step)]
    for world in dict.fromkeys(world for world, _ in left):
        specs = [spec for place, step in left if place == world for spec in step.plan]
        find_backend_of(_options_in(world, options), specs)
    try:
        for world, step in left:
            _run(folder / world / step.name, step, _options_in(world, options))
    except typer.Exit:
        typer.echo(f"The whole comparison goes on with the same command and --out {folder}", err=True)
        raise


def _options_in(world: str, given: RunOptions) -> RunOptions:
    """Packs are of our own world, an interpreter of the other; both worlds render alike, if they render at all."""
    other = {"assets": None, "assets_fallback": False} if world != OWN else {"world_python": None}
    return given.model_copy(update={"world": world, "rt": "raster", **other})


def _run(path: Path, step: Round, options: RunOptions) -> None:
    """One round in one world."""
    play_with_progress(step.plan, options.model_copy(update={"policy_args": step.options}), path, page=False)


def _write(folder: Path, comparison: PolicyParity) -> None:
    from eval.parity.ranking.plot import plot
    from eval.parity.ranking.table import markdown

    with disk_errors(folder):
        write_atomically(folder / f"{FILES}.json", json.dumps(comparison.to_json(), indent=2, default=str) + "\n")
        write_atomically(folder / f"{FILES}.md", markdown(comparison))
    plot(comparison, folder / f"{FILES}.png")


def _show(folder: Path, comparison: PolicyParity, as_json: bool) -> None:
    from eval.cli.layout import show_text
    from eval.parity.ranking.table import COLUMNS, LEVEL_COLUMNS, heading, level_rows, rows

    if as_json:
        typer.echo(json.dumps({"out": str(folder), **comparison.to_json()}, indent=2, default=str))
        return
    show_rows(heading(comparison), COLUMNS, rows(comparison))
    show_rows("Mean of the cells by level", LEVEL_COLUMNS, level_rows(comparison))
    for name, text in comparison.titles.items():
        show_text(f"{name}: {text}", "  ")
    typer.echo(
        f"{counted(len(comparison.flipped), 'episode')} {noun(len(comparison.flipped), 'ends', 'end')} "
        f"differently; listed in {folder / FILES}.md"
    )
    typer.echo(folder / f"{FILES}.png")
