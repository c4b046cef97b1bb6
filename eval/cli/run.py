"""The verb ``run``: play episodes with a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eval.backends.selection import ORIGINAL, OWN
from eval.cli.options import AllBut, Json, ModelOptions, Out, expand_options
from eval.cli.progress import play_with_progress
from eval.cli.tables import print_table
from eval.errors import UserError
from eval.plan.options import PlanOptions
from eval.records.folder import RunData, know_tasks, load_run
from eval.records.older import refuse_continuing
from eval.records.options import RunOptions
from eval.rollout.run import default_out

Resume = Annotated[Path | None, typer.Option(help="Continue the run in this folder, with its own plan, policy and assets.")]


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("run")(run_verb)


@expand_options
def run_verb(
    context: typer.Context,
    plan: PlanOptions,
    options: Annotated[RunOptions, AllBut(("policy_args",))],
    model: ModelOptions,
    out: Out = None,
    resume: Resume = None,
    as_json: Json = False,
) -> None:
    """Play episodes with a policy; leave a table and videos.

    Without options: the demonstration (scripted oracle, two robots, built-in assets, all videos).

    Examples:

      simpler-eval run --task google_robot_pick_coke_can --policy random --limit 10

      simpler-eval run --policy my_policy.py:MyPolicy --suite coke_can_and_carrot --out results/mine

      simpler-eval run --policy openvla_phi3 --checkpoint tiny-random --task widowx_carrot_on_plate --limit 2

      simpler-eval run --resume results/mine
    """
    args = model.args()
    if resume is not None:
        chosen = plan.model_fields_set | options.model_fields_set & {"policy", "world", "assets_fallback"}
        if chosen or args or out or _source(context, "assets") == "COMMANDLINE":
            raise UserError("--resume takes plan, policy, assets and world from the run; leave those options out.")
        data = _continue(resume, options)
    else:
        if not (plan.suites or plan.tasks) and "video" not in options.model_fields_set:
            options = options.model_copy(update={"video": "all"})
        options = options.model_copy(update={"policy_args": args, "assets": _assets_for(context, options)})
        data = play_with_progress(plan.whole_plan(), options, out or default_out(options.policy), plan.shard)
    _show(data, as_json, options.partial)


def _assets_for(context: typer.Context, options: RunOptions) -> str | None:
    """``--assets``; what the environment variable says of our own world is not meant for the original."""
    from_environment = _source(context, "assets") == "ENVIRONMENT"
    return None if options.world == ORIGINAL and from_environment else options.assets


def _source(context: typer.Context, option: str) -> str | None:
    """Where the value of an option comes from, as click calls it."""
    source = context.get_parameter_source(option)
    return None if source is None else source.name


def _continue(path: Path, given: RunOptions) -> RunData:
    """Go on with a run: what was not given now is as in its newest session."""
    before = load_run(path)
    refuse_continuing(before.header, path)
    know_tasks(path)
    options = before.header.options.continued(given)
    if options.world == OWN and options.assets is None:
        options = options.model_copy(update={"assets": ""})  # none, whatever the environment variable says now
    return play_with_progress(before.plan, options, path)


def _show(data: RunData, as_json: bool, partial: bool) -> None:
    print_table(data, as_json, partial, data.path / "tables")
    errored = sum(record.status == "errored" for record in data.records.values())
    if errored:
        typer.echo(f"{errored} episodes have no verdict; their errors are in {data.path}/episodes.jsonl", err=True)
        raise typer.Exit(1)
