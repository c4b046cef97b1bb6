"""The verbs ``assets check``, ``assets path`` and ``assets fetch``."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from eval.cli.layout import show_text
from eval.cli.options import AssetsOption, Json
from eval.cli.verbs import Verbs
from eval.nouns import counted

assets = Verbs(no_args_is_help=True, help="The original asset files: check, locate, fetch.")

To = Annotated[Path | None, typer.Option("--to", help="Folder for the data; default: one in your cache.")]
BAD = ("broken", "changed", "missing")


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.add_typer(assets, name="assets")


@assets.command("check")
def check_verb(
    assets: AssetsOption = None,
    suite: Annotated[list[str] | None, typer.Option(help="Only files that this suite needs; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """List every file that the suites need: original, stand-in, changed, broken or missing. Exit code 1 for the last three."""
    from eval.assets.check import check_assets

    files = check_assets(assets, suite or ())
    counts: Counter[str] = Counter(file.state for file in files)
    passed = not any(counts[state] for state in BAD)
    if as_json:
        typer.echo(json.dumps({"passed": passed, "counts": counts, "files": [asdict(file) for file in files]}, indent=2))
    else:
        for file in files:
            show_text(f"{file.state:9} {file.name}  ({file.detail})", " " * 10)
        show_text(f"{counted(len(files), 'file')}: " + ", ".join(f"{number} {state}" for state, number in counts.items()))
    raise typer.Exit(0 if passed else 1)


@assets.command("path")
def path_verb(to: To = None) -> None:
    """Print the folder of the downloaded data, for --assets "$(simpler-eval assets path)"."""
    from eval.assets.fetch import fetched_folder

    typer.echo(fetched_folder(to))


@assets.command("fetch")
def fetch_verb(
    to: To = None,
    repository: Annotated[
        str | None, typer.Option(help="Another repository with the same commit, such as a local clone.")
    ] = None,
) -> None:
    """Download the original asset files by a sparse git clone at the pinned commit; every checksum is verified.

    If interrupted, the same command continues. Existing data is verified and repaired.
    """
    from eval.assets.fetch import fetch_assets

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        folder = fetch_assets(to, repository, progress=lambda done, total: bar.update(task, completed=done, total=total))
    typer.echo(f'{folder}\nUse it with: --assets "{folder}"')
