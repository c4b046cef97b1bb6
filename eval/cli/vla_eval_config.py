"""The verb ``vla-eval-config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eval.cli.options import AssetsOption, Only, expand_options
from eval.errors import UserError
from eval.plan.options import PlanOptions


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("vla-eval-config")(vla_eval_config_verb)


@expand_options
def vla_eval_config_verb(
    out: Annotated[Path, typer.Argument(help="The file to write, such as simpler.yaml.")],
    plan: Annotated[PlanOptions, Only(("suites", "tasks", "setting", "variants", "max_steps"))],
    url: Annotated[str, typer.Option(help="Of the model server.")] = "ws://127.0.0.1:8000",
    output_dir: Annotated[str, typer.Option(help="Where vla-eval keeps its results.")] = "results/vla-eval",
    assets: AssetsOption = None,
) -> None:
    """Write the YAML with which vla-eval plays the same episodes in this world: one entry a cell.

    \b
    Examples:
      simpler-eval vla-eval-config simpler.yaml --suite tracevla_table1
      vla-eval run -c simpler.yaml --no-docker
    """
    import yaml

    from eval.interop.vla_eval_config import vla_eval_config

    config = vla_eval_config(plan, url, output_dir, {} if assets is None else {"assets": assets})
    try:
        out.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}.") from error
    episodes = sum(entry["episodes_per_task"] for entry in config["benchmarks"])
    typer.echo(f"{out}: {len(config['benchmarks'])} cells, {episodes} episodes; vla-eval run -c {out} --no-docker")
