"""The verb ``run``: play episodes with a policy."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.cli.options import AllBut, Json, ModelOptions, Out, expand_options, filmed_by_default
from eval.options import Excludes, Needs
from eval.plan.options import PlanOptions
from eval.records.options import RunOptions

if TYPE_CHECKING:
    from eval.cli.progress import Played, Show
    from eval.records.folder import RunData

Resume = Annotated[Path | None, typer.Option(help="Continue the run in this folder, with its own plan, policy and assets.")]


FIXED = (*PlanOptions.model_fields, *ModelOptions.model_fields, "policy", "world", "assets", "assets_fallback", "out")
"""What a resumed run has from its folder."""
RULES = (
    Excludes("resume", FIXED, "a run goes on with its own plan, policy, assets and world"),
    Needs("retry_errored", ("resume", "out"), "a new run has no errored episodes"),
    Needs("policy_changed", ("resume", "out"), "a new run has no other policy to compare with"),
)


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("run")(run_verb)


@expand_options(rules=RULES)
def run_verb(
    context: typer.Context,
    plan: PlanOptions,
    options: Annotated[RunOptions, AllBut(("policy_args",))],
    model: ModelOptions,
    out: Out = None,
    resume: Resume = None,
    as_json: Json = False,
) -> None:
    """Run episodes with a policy; write a table, a report and videos.

    Without options it runs the demo (scripted oracle, two robots, built-in assets, all videos).

    \b
    Examples:
      simpler-eval run --task google_robot_pick_coke_can --policy random --limit 10
      simpler-eval run --suite widowx_visual_matching --policy my_policy.py:MyPolicy
      simpler-eval run --task widowx_stack_cube --policy openvla_phi3 --checkpoint DIR
      simpler-eval run --resume results/mine
    """
    from eval.cli.progress import play_with_progress
    from eval.rollout.run import default_out

    show = partial(_show, as_json=as_json, partial=options.partial)
    if resume is not None:
        played = _continue(resume, options, show)
    else:
        options = filmed_by_default(plan, options)
        episodes = plan.whole_plan()
        options.check_for(episodes)
        options = options.model_copy(update={"policy_args": model.args(), "assets": _assets_for(context, options)})
        played = play_with_progress(episodes, options, out or default_out(options.policy), plan.shard, show)
    raise typer.Exit(played.exit_code)


def _assets_for(context: typer.Context, options: RunOptions) -> str | None:
    """``--assets``; what the environment variable says of our own world is not meant for the original."""
    from eval.backends.selection import ORIGINAL

    from_environment = _source(context, "assets") == "ENVIRONMENT"
    return None if options.world == ORIGINAL and from_environment else options.assets


def _source(context: typer.Context, option: str) -> str | None:
    """Where the value of an option comes from, as click calls it."""
    source = context.get_parameter_source(option)
    return None if source is None else source.name


def _continue(path: Path, given: RunOptions, show: Show) -> Played:
    """Go on with a run: what was not given now is as in its newest session."""
    from eval.backends.selection import OWN
    from eval.cli.progress import play_with_progress
    from eval.given import absolute
    from eval.records.folder import know_tasks, load_run
    from eval.records.older import refuse_continuing

    before = load_run(path)
    path = before.path
    refuse_continuing(before.header, path)
    know_tasks(path)
    if given.world_python is not None and os.sep in given.world_python:  # else it is looked for on PATH
        given = given.model_copy(update={"world_python": absolute(given.world_python)})
    given.check_for(before.plan)
    options = before.header.options.continued(given)
    if options.world == OWN and options.assets is None:
        options = options.model_copy(update={"assets": ""})  # none, whatever the environment variable says now
    go_to_folder_of(before)
    return play_with_progress(before.plan, options, path, show=show)


def go_to_folder_of(run: RunData) -> None:
    """Change to the folder that the run was started in: the policy's file and its arguments may be relative to it."""
    from eval.tasks.user_tasks import user_tasks

    user_tasks()  # what the environment variable names is relative to the folder we are in now
    folder = run.header.sessions[-1].folder if run.header.sessions else None
    if folder is not None and os.path.isdir(folder):
        os.chdir(folder)


def _show(data: RunData, page: Path | None, as_json: bool, partial: bool) -> bool:
    from eval.cli.tables import print_table

    return print_table(data, as_json, partial, data.path / "tables", page)
