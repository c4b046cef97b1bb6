"""The application: all verbs, and one place where errors become one line."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from eval.cli import assets, bench, demo, doctor, list, parity, plan, report, reproduce, run, smoke
from eval.errors import UserError

app = typer.Typer(
    name="simpler-eval",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Evaluate vision-language-action policies on SIMPLER scenes: one command, a table and rollout videos.\n\n"
    "Start with `simpler-eval demo` (it needs nothing) or `simpler-eval doctor`.",
)
for group in (demo, run, smoke, reproduce, list, plan, report, parity, bench, doctor, assets):
    group.add_to(app)

# typer carries its own copy of click in some versions; this is the base of its usage errors in all of them
_UsageProblem: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(importlib.metadata.version("simpler-eval"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit code: 0 fine, 1 a check or an episode failed, 2 unusable input."""
    try:
        given = [*(sys.argv[1:] if arguments is None else arguments)]
        code = app(given, prog_name="simpler-eval", standalone_mode=False)
    except UserError as error:
        code = _complain(str(error))
    except _UsageProblem as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.format_message())
            sys.exit(2)
        code = _complain(error.format_message())
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:  # `simpler-eval list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _complain(text: str) -> int:
    typer.echo("simpler-eval: " + " ".join(text.split()), err=True)
    return 2
