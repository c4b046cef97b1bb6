"""The verb ``reproduce``: a published cell with its own settings, and our number beside the published ones."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eval.assets.options import assets_text
from eval.cli.options import PLAN, AssetsFallback, AssetsOption, Json, MaxSteps, Shard
from eval.cli.report import show_rows
from eval.cli.run import (
    Checkpoint,
    Device,
    Dtype,
    Generation,
    Out,
    Partial,
    PolicyArgs,
    RayTracing,
    RetryErrored,
    TracePreset,
    Tracker,
    TrackerCheckpoint,
    Video,
    Watchdog,
    Workers,
    all_policy_args,
    play_with_progress,
)
from eval.errors import UserError
from eval.records.merging import load_runs
from eval.rollout.run import WATCHDOG_SECONDS, default_out

if TYPE_CHECKING:
    from eval.published.reproduce import Reproduction

PolicyArgument = Annotated[str | None, typer.Argument(help="As --policy of `run`: a name, module:Class or file.py:Class.")]
CellArgument = Annotated[
    str | None,
    typer.Argument(metavar="TASK", help="A column of published tables, such as google_robot_move_near; see --list."),
]
CellSetting = Annotated[str, typer.Option(help="visual_matching or variant_aggregation.", rich_help_panel=PLAN)]
Share = Annotated[
    float | None,
    typer.Option(
        "--sample", help="Only this share (0..1] of the cell, evenly; said so beside the number.", rich_help_panel=PLAN
    ),
]
From = Annotated[
    list[Path] | None,
    typer.Option("--from", help="Play nothing; take the number from this finished run, or several (shards)."),
]
Everything = Annotated[bool, typer.Option("--second-hand", help="Also numbers that a machine extracted from papers.")]


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("reproduce")(reproduce_verb)


def reproduce_verb(
    policy: PolicyArgument = None,
    task: CellArgument = None,
    setting: CellSetting = "visual_matching",
    listed: Annotated[bool, typer.Option("--list", help="Show the published cells and stop.")] = False,
    sample: Share = None,
    max_steps: MaxSteps = None,
    shard: Shard = None,
    policy_arg: PolicyArgs = None,
    checkpoint: Checkpoint = None,
    device: Device = None,
    dtype: Dtype = None,
    generation: Generation = None,
    trace_preset: TracePreset = None,
    tracker: Tracker = None,
    tracker_checkpoint: TrackerCheckpoint = None,
    assets: AssetsOption = None,
    assets_fallback: AssetsFallback = False,
    out: Out = None,
    from_runs: From = None,
    workers: Workers = None,
    video: Video = None,
    rt: RayTracing = None,
    watchdog: Watchdog = None,
    retry_errored: RetryErrored = False,
    partial: Partial = False,
    second_hand: Everything = False,
    as_json: Json = False,
) -> None:
    """Play a cell of the published tables exactly as published, and print the number beside the published ones.

    Examples:

      simpler-eval reproduce --list

      simpler-eval reproduce tracevla_phi3 google_robot_move_near --checkpoint FOLDER --assets PACK

      simpler-eval reproduce oracle google_robot_pick_coke_can --sample 0.1
    """
    from eval.published.reproduce import cell_plan, compare_with_published

    if listed:
        _list(as_json)
        return
    if policy is None or task is None:
        raise UserError("Name a policy and a task, such as: simpler-eval reproduce oracle google_robot_pick_coke_can")
    plan = cell_plan(task, setting, sample=sample, max_steps=max_steps)
    if from_runs:
        data = load_runs(from_runs, partial)
        if data.header.get("identity", {}).get("policy") != policy:
            raise UserError(f"{from_runs[0]} was played by {data.header.get('identity', {}).get('policy')}, not {policy}.")
    else:
        policy_args = all_policy_args(
            policy_arg, checkpoint=checkpoint, device=device, dtype=dtype, generation=generation,
            trace_preset=trace_preset, tracker=tracker, tracker_checkpoint=tracker_checkpoint,
        )  # fmt: skip
        options: dict[str, Any] = {
            "policy_args": policy_args, "assets": assets_text(assets, assets_fallback), "shard": shard,
            "workers": workers, "video": video or "none", "watchdog": watchdog or WATCHDOG_SECONDS,
            "rt": rt or "auto",
            "retry_errored": retry_errored, "partial": partial,
        }  # fmt: skip
        data = play_with_progress(plan, policy, out or default_out(f"{policy}-{task}"), options)
    found = compare_with_published(data, task, setting, partial, second_hand)
    if as_json:
        typer.echo(json.dumps({"out": str(data.path), **_as_json(found)}, indent=2))
    else:
        _show(found)
        typer.echo(f"{data.path}")
    if any(record.status == "errored" for record in data.records.values()):
        raise typer.Exit(1)


def _show(found: Reproduction) -> None:
    from eval.published import cells
    from eval.published.reproduce import disagreement_line, remarks, source_line

    ours = found.ours
    interval = ours.interval
    rows: list[list[object]] = [
        [
            f"{found.policy} (this run)",
            "" if ours.rate is None else f"{100 * ours.rate:.1f}",
            "" if interval is None else f"{100 * interval[0]:.1f} - {100 * interval[1]:.1f}",
            f"{ours.tally.n} of {ours.of or '?'}",
            "",
            "",
        ]
    ]
    for number in found.published:
        source = ", ".join(number.sources)
        rows.append([number.model, f"{number.percent:g}", "", "", (number.set and f"{number.set} ({source})") or source,
                     remarks(number, ours.of)])  # fmt: skip
    whose = "of this policy" if found.of_this_policy else "of all policies"
    typer.echo(found.title)
    heading = f"{cells().title_of(found.cell)} ({found.cell}, {found.setting}), published numbers {whose}"
    show_rows(heading, ["policy", "success %", "95 % interval", "episodes", "published in", "remarks"], rows)
    if ours.rate is None:
        typer.echo(f"No rate: {ours.tally.errored} episodes errored, {ours.tally.missing} are missing; --partial does without.")
    typer.echo("Sources")
    for source in dict.fromkeys(source for number in found.published for source in number.sources):
        typer.echo(f"- {source_line(source)}")
    if found.disagreements:
        typer.echo("Known disagreements")
    for entry in found.disagreements:
        typer.echo(f"- {disagreement_line(entry)}")


def _as_json(found: Reproduction) -> dict[str, Any]:
    from eval.published.numbers import references

    ours, tally = found.ours, found.ours.tally
    numbers = {"rate": ours.rate, "n": tally.n, "successes": tally.successes, "errored": tally.errored}
    low, high = ours.interval or (None, None)
    sources = dict.fromkeys(source for number in found.published for source in number.sources)
    return {
        "cell": found.cell, "setting": found.setting, "policy": found.policy, "title": found.title,
        "ours": {**numbers, "missing": tally.missing, "low": low, "high": high, "of": ours.of},
        "published_are_of_this_policy": found.of_this_policy,
        "published": [asdict(number) for number in found.published],
        "sources": {source: references()[source].model_dump() for source in sources},
        "disagreements": [entry.model_dump() for entry in found.disagreements],
    }  # fmt: skip


def _list(as_json: bool) -> None:
    """Every cell and setting with its size, how many numbers were published, and those of our policies."""
    from eval.published.numbers import policy_models, published_numbers
    from eval.published.reproduce import cell_names, cell_size, published_settings

    models = [model for names in policy_models().values() for model in names]
    entries: list[dict[str, Any]] = []
    for cell in cell_names():
        for setting in published_settings(cell):
            numbers = published_numbers(cell, setting)
            own = {n.model: n.percent for n in numbers if n.model in models}
            sizes = Counter(number.secondary for number in published_numbers(cell, setting, None, True))
            entries.append({
                "cell": cell, "setting": setting, "episodes": cell_size(cell, setting), "published": len(numbers),
                "second_hand": sizes[True], **{model: own.get(model) for model in models},
            })  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"cells": entries}, indent=2))
        return
    columns = ["cell", "setting", "episodes", "published", *models]
    rows = [["" if entry[column] is None else entry[column] for column in columns] for entry in entries]
    show_rows("Published cells, in percent (simpler-eval reproduce POLICY CELL)", columns, rows)
