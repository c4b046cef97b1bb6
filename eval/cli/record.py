"""The verb ``record``."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.cli.options import AllBut, Json, ModelOptions, Only, Out, expand_options
from eval.errors import UserError
from eval.nouns import counted, noun
from eval.plan.options import PlanOptions
from eval.records.options import RunOptions
from eval.rollout.demonstrations import Demonstration

if TYPE_CHECKING:
    from eval.records.folder import RunData

PLACED = "Initial states: train (default, separate from all used for evaluation), or others with --allow-test-placements."
KEPT = "Episodes in the dataset: successes (default without --policy) or all (default with it)."
HOW = "lerobot (default), or lerobot-lossless with bit-exact images."
NOT_HERE = ("policy", "policy_args", "video", "report_to", "partial", "success", "policy_changed", "fail_on_error", "repeat")


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("record")(record_verb)


@expand_options
def record_verb(
    demonstration: Demonstration,
    plan: Annotated[PlanOptions, Only(tuple(PlanOptions.model_fields), {"placements": PLACED}, {"placements": "train"})],
    options: Annotated[RunOptions, AllBut(NOT_HERE, {"keep": KEPT, "record": HOW}, {"record": "lerobot"})],
    model: ModelOptions,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Record demonstrations as a LeRobot dataset: by the scripted oracle, or by a policy that it corrects (DAgger).

    At every step, `action` is the expert's action in that state, and `executed_action` the one executed.

    \b
    Examples:
      simpler-eval record --task widowx_carrot_on_plate --count 896 --disturb 0,0.08,0.15 --out results/demos
      simpler-eval record --task widowx_carrot_on_plate --count 448 --seed 896 --policy tracevla_phi3 --checkpoint DIR
    """
    from eval.cli.progress import play_with_progress
    from eval.rollout.run import default_out

    if not (plan.tasks or plan.suites):
        raise UserError("record needs --task or --suite: say what is to be demonstrated.")
    if options.record == "none":
        raise UserError("--record none leaves nothing of what record is for; give lerobot or lerobot-lossless.")
    played = demonstration.run_options(options, model.args())
    episodes = plan.whole_plan()
    demonstration.check(episodes)
    options.check_for(episodes)
    folder = out or default_out("record")
    show = partial(_show, as_json=as_json)
    raise typer.Exit(play_with_progress(episodes, played, folder, plan.shard, show, page=False).exit_code)


def _show(data: RunData, page: Path | None, as_json: bool) -> bool:
    """What was recorded; nothing is written."""
    from eval.datasets.writer import datasets_of
    from eval.records.titles import title

    datasets = datasets_of(data.path)
    successes = sum(record.status == "success" for record in data.records.values())
    if as_json:
        listed = [{"path": str(each.path), "episodes": each.episodes, "frames": each.frames} for each in datasets]
        said = {"out": str(data.path), "played": len(data.records), "successes": successes, "datasets": listed}
        typer.echo(json.dumps(said, indent=2))
        return True
    from eval.cli.layout import show_text

    show_text(title(data.header, data.plan), "  ")
    typer.echo(f"{successes} of {counted(len(data.records), 'episode')} succeeded.")
    for each in datasets:
        typer.echo(f"{each.path}: {counted(each.episodes, 'episode')}, {each.frames:,} {noun(each.frames, 'frame')}")
    if not datasets:
        typer.echo("No dataset was written: no episode is kept (--keep all keeps those that failed).")
    return True
