"""The verb ``vla-eval-config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eval.cli.options import AssetsOption, Only, expand_options
from eval.errors import UserError
from eval.nouns import counted
from eval.plan.options import PlanOptions


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("vla-eval-config")(vla_eval_config_verb)


@expand_options
def vla_eval_config_verb(
    out: Annotated[Path, typer.Argument(help="The file to write, such as simpler.yaml.")],
    plan: Annotated[PlanOptions, Only(("suites", "tasks", "setting", "variants", "max_steps"))],
    url: Annotated[str, typer.Option(help="URL of the model server.")] = "ws://127.0.0.1:8000",
    output_dir: Annotated[str, typer.Option(help="Folder for vla-eval's results.")] = "results/vla-eval",
    assets: AssetsOption = None,
) -> None:
    """Write the YAML for running the same episodes with vla-eval in this simulator: one entry per cell.

    \b
    Examples:
      simpler-eval vla-eval-config simpler.yaml --suite tracevla_table1
      vla-eval run -c simpler.yaml --no-docker
    """
    import yaml

    from eval.assets.resolver import Assets
    from eval.interop.vla_eval_config import vla_eval_config

    if not url.startswith(("ws://", "wss://")):
        raise UserError(f'--url "{url}" is no address of a model server; write ws://HOST:PORT.')
    if out.is_file() and not _is_config(out):
        raise UserError(f"{out} is a file of something else, and is left as it is; name another one.")
    if assets is not None:
        Assets.from_option(assets)  # reports a wrong folder before any work
    config = vla_eval_config(plan, url, output_dir, {} if assets is None else {"assets": assets})
    try:
        out.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}.") from error
    episodes = sum(entry["episodes_per_task"] for entry in config["benchmarks"])
    typer.echo(
        f"{out}: {counted(len(config['benchmarks']), 'cell')}, {counted(episodes, 'episode')}; vla-eval run -c "
        f"{out} --no-docker"
    )


def _is_config(file: Path) -> bool:
    """Whether a file may be replaced by a configuration: it is one, or is empty."""
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return content is None or (isinstance(content, dict) and "benchmarks" in content)
