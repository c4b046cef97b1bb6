"""The verb ``audit``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.cli.layout import show_rows, show_text
from eval.cli.options import Json, ModelOptions, Only, expand_options
from eval.cli.policy_output import stdout_to_stderr
from eval.cli.stop_signals import exit_code_of, stop_like_ctrl_c
from eval.plan.options import PlanOptions
from eval.records.options import RunOptions

if TYPE_CHECKING:
    from eval.audit.findings import Audit
    from eval.audit.published_rows import PublishedCell

DEFAULT_COUNT, DEFAULT_MARGIN = 24, 10.0
PLAYED = (
    *("assets", "assets_fallback", "world", "world_python", "rt", "render_device"),
    *("workers", "per_worker", "batch", "watchdog", "stop_after", "success", "retry_errored"),
)


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("audit")(audit_verb)


@expand_options
def audit_verb(
    policy: Annotated[str, typer.Argument(help="As --policy of `run`: a name, module:Class or file.py:Class.")],
    plan: Annotated[PlanOptions, Only(("suites", "tasks", "setting", "variants", "max_steps"))],
    options: Annotated[RunOptions, Only(PLAYED)],
    model: ModelOptions,
    count: Annotated[int, typer.Option(min=2, help="Episodes per task and condition.", show_default=True)] = DEFAULT_COUNT,
    margin: Annotated[
        float,
        typer.Option(
            min=0.1, max=100, help="Drop of the success rate, in points, below which a condition makes no difference."
        ),
    ] = 10.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder; default: a new results/<date>-audit-<policy>. The same one continues.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check what a policy's success rests on: does it use the image and the instruction, or has it memorised the grid?

    Runs the same episodes unchanged, with grey images, with the image of another episode and with the instruction of another
    task; and unchanged on held-out placements. Without --task or --suite: the coke can and the carrot.

    \b
    Examples:
      simpler-eval audit oracle --count 4
      simpler-eval audit my_policy.py:MyPolicy --task google_robot_move_near --count 60 --out results/audit
    """
    from eval.report.auditing import audit_by
    from eval.rollout.run import default_out

    options = options.model_copy(update={"policy": policy, "policy_args": model.args()})
    folder = out or default_out(f"audit-{policy}")
    stop_like_ctrl_c()
    try:
        with stdout_to_stderr():
            again = f"the same command with --out {shlex.quote(str(folder))} --retry-errored (changed code: a new --out)"
            done = audit_by(plan, options, count, margin, folder, tell=lambda line: typer.echo(line, err=True), go_on=again)
    except KeyboardInterrupt as stop:
        typer.echo(
            f"Stopped. What was played is kept; the same command with --out {shlex.quote(str(folder))} goes on.", err=True
        )
        raise typer.Exit(exit_code_of(stop)) from None
    if as_json:
        from eval.audit.exports import to_json

        typer.echo(json.dumps({"out": str(folder), **to_json(done.audit, done.published)}, indent=2))
    else:
        _show(done.audit, done.published)
        typer.echo(done.page)
    if done.errored:
        raise typer.Exit(1)


def _show(audit: Audit, cells: tuple[PublishedCell, ...]) -> None:
    from eval.audit.exports import COLUMNS, PUBLISHED_COLUMNS, notes, published_rows, rows

    for finding in audit.findings:
        show_text(f"{finding.condition.asks} {finding.sentence}", "  ")
    typer.echo()
    show_rows(f"Audit of {audit.played.policy}", COLUMNS, rows(audit))
    if cells:
        show_rows("Which published numbers differ by more than noise", PUBLISHED_COLUMNS, published_rows(cells))
    for line in notes(audit):
        show_text(line, "  ")
