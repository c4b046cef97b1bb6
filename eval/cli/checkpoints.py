"""The verb ``checkpoints``: a training's checkpoints over the same plan, and how success grew."""

from __future__ import annotations

import contextlib
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.cli.options import AllBut, Json, ModelOptions, expand_options
from eval.errors import UserError
from eval.options import Excludes, Needs
from eval.plan.options import PlanOptions
from eval.records.options import RunOptions

if TYPE_CHECKING:
    from eval.checkpoints.curve import Curve
    from eval.checkpoints.evaluation import Evaluation

FILES = "checkpoints"
POLL, PATIENCE = 10.0, 60.0

Checkpoints = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CHECKPOINT...", help="Checkpoints: folders, folders of checkpoints, or owner/name[@revision] on the Hub.",
        show_default=False,
    ),
]  # fmt: skip
Watch = Annotated[
    Path | None, typer.Option(help="Folder to which a training writes checkpoints: each is evaluated once complete.")
]
Poll = Annotated[float | None, typer.Option(help=f"Polling interval in seconds; default {POLL:g}.", min=0.1, max=86_400)]
Patience = Annotated[
    float | None, typer.Option(help=f"Stop after this many minutes without a new checkpoint; default {PATIENCE:g}.", min=0.0)
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for the runs, the table and the plot; default: a new one in results/. The same one continues."),
]
RULES = (
    Needs("poll", ("watch",), "nothing else is looked at again"),
    Needs("patience", ("watch",), "nothing else is waited for"),
    Excludes("watch", ("checkpoint",), "it finds the checkpoints itself"),
)


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("checkpoints")(checkpoints_verb)


@expand_options(rules=RULES)
def checkpoints_verb(
    plan: Annotated[PlanOptions, AllBut(("shard",))],
    options: Annotated[RunOptions, AllBut(("policy_args", "cluster", "policy_changed", "fail_on_error"))],
    model: Annotated[ModelOptions, AllBut(("checkpoint",))],
    checkpoint: Checkpoints = None,
    watch: Watch = None,
    poll: Poll = None,
    patience: Patience = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Evaluate every checkpoint of a training on the same episodes; write a table and a plot of success against training step.

    One run each, one per GPU at a time. If interrupted, the same command continues.

    \b
    Examples:
      simpler-eval checkpoints training/ --policy openvla_phi3 --suite widowx_visual_matching
      simpler-eval checkpoints a/checkpoint-500 b/checkpoint-500 --policy mine.py:Mine --task widowx_stack_cube
      simpler-eval checkpoints --watch training/ --policy tracevla_phi3 --suite google_robot_visual_matching --limit 50
    """
    from eval.checkpoints.curve import curve_of
    from eval.checkpoints.evaluation import Evaluation
    from eval.checkpoints.finding import Watched, find_checkpoints
    from eval.cli.stop_signals import exit_code_of, stop_like_ctrl_c
    from eval.rollout.run import check_run, default_out

    if not checkpoint and watch is None:
        raise UserError("Name checkpoints, a folder of them, or --watch FOLDER.")
    _refuse_unsaid(plan, options)
    args = model.args()
    if "checkpoint" in args:
        raise UserError("--policy-arg checkpoint=... has no effect: every checkpoint is given to the policy; leave it out.")
    watched = None if watch is None else Watched(watch)
    found = find_checkpoints(checkpoint or [])
    episodes = plan.whole_plan()
    options.check_for(episodes)
    options = options.model_copy(update={"policy_args": args})
    folder = out or default_out(f"checkpoints-{options.policy}")
    stop_like_ctrl_c()
    check_run(episodes, options, later=("checkpoint",))
    evaluation = Evaluation(episodes, options, folder, _say)
    code = 0
    try:
        if watched is None:
            evaluation.play(found)
        else:
            evaluation.watch(watched, poll or POLL, 60 * (PATIENCE if patience is None else patience))
    except KeyboardInterrupt as stop:
        with contextlib.suppress(KeyboardInterrupt):  # whoever is impatient, or sends two, still gets the table
            evaluation.stop()
        code = exit_code_of(stop)
    finally:
        evaluation.close()
    curve = curve_of(evaluation.evaluated, options.partial)
    unwritten = _write(folder, curve)
    _show(folder, evaluation, curve, as_json, unwritten is None)
    if unwritten is not None:
        _say(f"simpler-eval: {unwritten}")
    if code:
        words = [*(checkpoint or []), *(["--watch", str(watch)] if watch is not None else [])]
        _say(f"Stopped. The same command with --out {shlex.quote(str(folder))} goes on with {shlex.join(words)}.")
    lacking = evaluation.unseen is not None or any(entry.problem for entry in evaluation.evaluated)
    raise typer.Exit(code or (2 if unwritten else int(lacking)))


def _refuse_unsaid(plan: PlanOptions, options: RunOptions) -> None:
    """Raises UserError where what is played, or by whom, was not said, or the policy has no checkpoints."""
    from policies.registry import takes_option

    if "policy" not in options.model_fields_set:
        raise UserError("Say whose checkpoints they are: --policy openvla_phi3, tracevla_phi3, or one of your own.")
    if not (plan.suites or plan.tasks):
        raise UserError("Say which episodes every checkpoint is to play: --suite or --task (`simpler-eval list` shows them).")
    if not takes_option(options.policy, "checkpoint"):
        raise UserError(f"Policy {options.policy} has no checkpoints: its constructor takes no argument `checkpoint`.")


def _write(folder: Path, curve: Curve) -> str | None:
    """Why the table and the plot are not there, where the disk refuses them."""
    from eval.checkpoints.plot import plot
    from eval.records.cell_tables import markdown_table
    from eval.records.folder import disk_errors, write_atomically

    if not len(curve.points):
        return None
    lines = [f"# {curve.title}", "", "Success in percent [95 % interval]", "", *markdown_table(*curve.table())]
    try:
        with disk_errors(folder):
            write_atomically(folder / f"{FILES}.csv", curve.points.to_csv(index=False))
            write_atomically(folder / f"{FILES}.md", "\n".join([*lines, "", f"![success against step]({FILES}.png)"]) + "\n")
        plot(curve, folder / f"{FILES}.png")
    except UserError as error:
        return str(error)
    return None


def _show(folder: Path, evaluation: Evaluation, curve: Curve, as_json: bool, written: bool) -> None:
    from eval.cli.tables import show_rows

    problems = {entry.checkpoint.name: entry.problem for entry in evaluation.evaluated if entry.problem is not None}
    if as_json:
        points = json.loads(curve.points.to_json(orient="records"))
        typer.echo(json.dumps({"out": str(folder), "points": points, "problems": problems}, indent=2))
        return
    if len(curve.points):
        show_rows("Success in percent [95 % interval]", *curve.table())
    if len(curve.points) and written:
        typer.echo(f"{folder}/{FILES}.md")
        typer.echo(f"{folder}/{FILES}.png")
    for problem in dict.fromkeys(problems.values()):  # one that all have in common is said once
        names = [name for name, its in problems.items() if its == problem]
        shown = f"{', '.join(names[:-1])} and {names[-1]} have" if len(names) > 1 else f"{names[0]} has"
        _say(f"simpler-eval: {shown} no whole result: {problem}")


def _say(line: str) -> None:
    typer.echo(line, err=True)
