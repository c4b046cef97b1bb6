"""Verbs that look without playing: ``list``, ``plan`` and ``report``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from eval.cli.options import Json, Limit, MaxSteps, RunPaths, Sample, Seed, Setting, Shard, Suites, Tasks, Variants, plan_of
from eval.plan.shards import take_shard
from eval.records.cell_tables import SHOWN, cell_table, conventions, shown_cells
from eval.records.folder import RunData, know_tasks
from eval.records.merging import load_runs
from eval.records.tables import COLUMNS, summary, title, write_tables

if TYPE_CHECKING:
    import pandas as pd

PIPED_WIDTH = 160
"""Columns of a table that goes into a file or a pipe."""


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("list")(list_verb)
    app.command("plan")(plan_verb)
    app.command("report")(report_verb)


def list_verb(as_json: Json = False) -> None:
    """Show the tasks with their settings, the suites and the policies that are installed."""
    from eval.plan.listing import describe_suites, describe_tasks
    from policies.registry import policy_names

    tasks, suites = describe_tasks(), describe_suites()
    if as_json:
        content = {
            "tasks": [asdict(t) for t in tasks], "suites": [asdict(s) for s in suites], "policies": policy_names(),
        }  # fmt: skip
        typer.echo(json.dumps(content, indent=2))
        return
    show_rows("Tasks (--task, --setting)", ["task", "setting", "robot", "variants", "episodes", "steps"], [
        [t.task, t.setting, t.robot, t.variants, t.episodes, t.max_steps] for t in tasks
    ])  # fmt: skip
    show_rows("Suites (--suite)", ["suite", "episodes", "about"], [[s.suite, s.episodes, s.about] for s in suites])
    typer.echo(f"Policies (--policy): {', '.join(policy_names())}, module:Class, path/to/file.py:Class")


def plan_verb(
    suite: Suites = None,
    task: Tasks = None,
    setting: Setting = "visual_matching",
    variant: Variants = None,
    seed: Seed = None,
    limit: Limit = None,
    sample: Sample = None,
    max_steps: MaxSteps = None,
    shard: Shard = None,
    as_json: Json = False,
) -> None:
    """Show what `run` with the same options would play, without playing it."""
    plan = plan_of(suite, task, setting, variant, seed, limit, sample, max_steps)
    if shard is not None:
        plan = take_shard(plan, shard)
    if as_json:
        typer.echo(json.dumps({"episodes": [{"id": spec.id, **spec.model_dump(mode="json")} for spec in plan]}))
        return
    counts = Counter((spec.task, spec.setting, spec.variant) for spec in plan)
    show_rows(f"{len(plan)} episodes", ["task", "setting", "variant", "episodes"], [[*k, n] for k, n in counts.items()])


def report_verb(
    runs: RunPaths,
    partial: Annotated[bool, typer.Option(help="Give totals a rate although episodes are missing or errored.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the tables; default: tables/ of the run.")] = None,
    as_json: Json = False,
) -> None:
    """Make the tables of a run anew and print them; works while it is running.

    Several runs of one policy (shards of a plan, or different tasks) are reported as one; their common tables are
    written where --out says.
    """
    data = load_runs(runs, partial)
    for run in runs:
        know_tasks(run)
    print_table(data, as_json, partial, out if len(runs) > 1 else out or data.path / "tables")


def print_table(data: RunData, as_json: bool, partial: bool, folder: Path | None) -> None:
    """Show the tables of a run, and write them into a folder if there is one."""
    if folder is not None:
        write_tables(data, partial, folder)
    table, cells = summary(data.plan, data.records, partial), cell_table(data.plan, data.records, partial)
    heading = title(data.header, data.plan)
    if as_json:
        found = {name: json.loads(t.to_json(orient="records")) for name, t in (("rows", table), ("cells", cells))}
        typer.echo(json.dumps({"out": str(data.path), "title": heading, **found}, indent=2))
        return
    print_rows(heading, COLUMNS, table)
    if len(cells):
        show_rows("Cells of published tables", SHOWN, shown_cells(cells))
        typer.echo("".join(f"{line}\n" for line in conventions(cells)), nl=False)
    if folder is not None:
        typer.echo(f"{folder}/summary.md")
    if any(record.video for record in data.records.values()):
        typer.echo(f"{data.path}/videos")


def print_rows(heading: str, columns: Sequence[str], table: pd.DataFrame) -> None:
    """Show a table of results; rates with three decimals, what is not known empty."""
    shown = table.astype(object).where(table.notna(), "")
    if "counted" in shown:
        shown["counted"] = shown["counted"].map({True: "yes", False: "no"})
    rows = [[f"{value:.3f}" if isinstance(value, float) else value for value in row] for row in shown.to_numpy()]
    show_rows(heading, columns, rows)


def show_rows(heading: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; into a file or a pipe with a fixed width."""
    table = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=PIPED_WIDTH)
    console.print(table, markup=False)
