"""The verb ``serve``: a policy for other harnesses, programs and robots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from eval.cli.options import ModelOptions, expand_options
from eval.nouns import counted
from eval.serving.options import ServingOptions

if TYPE_CHECKING:
    from eval.serving.serve import Serving


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("serve")(serve_verb)


@expand_options
def serve_verb(
    policy: Annotated[str, typer.Argument(help="As for run --policy.")],
    options: ServingOptions,
    model: ModelOptions,
) -> None:
    """Serve a policy to other harnesses, programs and robots over a WebSocket.

    Stop it with Ctrl-C.

    \b
    Examples:
      simpler-eval serve tracevla_phi3 --checkpoint DIR
      simpler-eval serve openvla_phi3 --checkpoint DIR --protocol openpi --robot widowx
      curl http://127.0.0.1:8000/health
    """
    from eval.cli.stop_signals import stop_like_ctrl_c
    from eval.serving.serve import serve

    def say() -> None:
        for line in options.warnings():
            typer.echo(f"simpler-eval: {line}.", err=True)
        typer.echo(f"simpler-eval: {policy} is being loaded and tried.", err=True)

    stop_like_ctrl_c()
    episodes, actions = serve(policy, model.args(), options, _ready, say)
    typer.echo(f"simpler-eval: served {counted(actions, 'action')} of {counted(episodes, 'episode')}.", err=True)


def _ready(server: Serving) -> None:
    remarks = "".join(f"; {remark}" for remark in server.policy.remarks)
    typer.echo(f"{server.policy.name}{remarks}: {server.url} ({', '.join(server.served.robots)})")
