"""The verb ``reproduce``: a published cell with its own settings, and our number beside the published ones."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eval.cli.layout import show_rows, show_text
from eval.cli.options import AllBut, Json, ModelOptions, Only, Out, expand_options
from eval.cli.progress import play_with_progress
from eval.cli.tables import warn
from eval.errors import UserError
from eval.nouns import noun
from eval.options import Excludes, Needs
from eval.plan.options import PlanOptions
from eval.records.aggregation import Row
from eval.records.cell_tables import NUMBER, number, percent
from eval.records.merging import judged, merge_runs, read_runs
from eval.records.options import RunOptions
from eval.rollout.run import default_out

if TYPE_CHECKING:
    from eval.published.reproduce import Reproduction

PolicyArgument = Annotated[str | None, typer.Argument(help="As --policy of `run`: a name, module:Class or file.py:Class.")]
CellArgument = Annotated[
    str | None,
    typer.Argument(metavar="TASK", help="A column of published tables, such as google_robot_move_near; see --list."),
]
CellSetting = Annotated[str, typer.Option(help="visual_matching or variant_aggregation.")]
CellPlan = Annotated[
    PlanOptions,
    Only(
        ("sample", "max_steps", "shard", "placements"),
        {
            "sample": "Only this fraction (0..1] of the cell, spread evenly; stated beside the number.",
            "placements": "Only published: other placements cannot be compared with published numbers.",
        },
    ),
]
From = Annotated[
    list[Path] | None,
    typer.Option("--from", help="Run nothing; use this finished run, or several (shards)."),
]
Everything = Annotated[
    bool, typer.Option("--second-hand", help="Also show numbers that were extracted from papers automatically.")
]

_PLAYED = (
    *("sample", "max_steps", "shard", "out", *ModelOptions.model_fields),
    *(name for name in RunOptions.model_fields if name not in ("policy", "policy_args", "success", "partial")),
)
_LISTED = ("policy", "task", "setting", "from_runs", "second_hand", "success", "partial", *_PLAYED)
RULES = (
    Excludes("listed", _LISTED, "it shows all cells"),
    Excludes("from_runs", _PLAYED, "nothing is played"),
    Needs("retry_errored", ("out",), "a new run has no errored episodes"),
    Needs("policy_changed", ("out",), "a new run has no other policy to compare with"),
)
"""Which options have an effect together."""


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("reproduce")(reproduce_verb)


@expand_options(rules=RULES)
def reproduce_verb(
    plan: CellPlan,
    options: Annotated[RunOptions, AllBut(("policy", "policy_args", "world", "world_python"))],
    model: ModelOptions,
    policy: PolicyArgument = None,
    task: CellArgument = None,
    setting: CellSetting = "visual_matching",
    listed: Annotated[bool, typer.Option("--list", help="List the published cells and exit.")] = False,
    out: Out = None,
    from_runs: From = None,
    second_hand: Everything = False,
    as_json: Json = False,
) -> None:
    """Run a cell of the published tables exactly as published, and print our number beside the published ones.

    \b
    Examples:
      simpler-eval reproduce --list
      simpler-eval reproduce tracevla_phi3 google_robot_move_near --checkpoint FOLDER --assets PACK
      simpler-eval reproduce oracle google_robot_pick_coke_can --sample 0.1
    """
    from eval.published.cells import cell_names, cell_plan
    from eval.published.reproduce import compare_with_published

    if listed:
        _list(as_json)
        return
    if policy is None or task is None:
        raise UserError("Name a policy and a task, such as: simpler-eval reproduce oracle google_robot_pick_coke_can")
    if policy in (names := cell_names()) and task not in names:
        raise UserError(f"The policy comes first: simpler-eval reproduce {task} {policy}")
    if plan.placements != "published":
        raise UserError(
            f"--placements {plan.placements}: no published number stands beside other initial states; play them with "
            f"simpler-eval run --placements {plan.placements} --task TASK."
        )
    specs = cell_plan(task, setting, sample=plan.sample, max_steps=plan.max_steps)
    if from_runs:
        success = options.success if "success" in options.model_fields_set else None
        merged = merge_runs([judged(run, success) for run in read_runs(from_runs)], options.partial)
        for note in merged.notes:
            warn(note)
        data = merged.data
        code = int(any(record.status == "errored" for record in data.records.values()))
        if data.header.options.policy != policy:
            raise UserError(f"{from_runs[0]} was played by {data.header.options.policy}, not {policy}.")
    else:
        options.check_for(specs)
        options = options.model_copy(update={"policy": policy, "policy_args": model.args()})
        played = play_with_progress(specs, options, out or default_out(f"{policy}-{task}"), plan.shard)
        data, code = played.data, played.exit_code
    result = compare_with_published(data, task, setting, options.partial, second_hand)
    if as_json:
        typer.echo(json.dumps({"out": str(data.path), **_as_json(result)}, indent=2))
    else:
        _show(result, data.path)
    raise typer.Exit(code)


def _show(result: Reproduction, path: Path) -> None:
    from eval.published.reproduce import remarks, source_line
    from eval.records.cells import cells

    ours = result.ours
    show_text(result.title)
    typer.echo("Sources")
    for source in dict.fromkeys(source for published in result.published for source in published.sources):
        show_text(f"- {source_line(source)}", "  ")
    if result.disagreements:
        typer.echo("Known disagreements")
    for entry in result.disagreements:
        show_text(f"- {entry.line}", "  ")
    typer.echo(f"The run: {path}\n")
    rows: list[list[object]] = []
    for published in result.published:
        source = ", ".join(published.sources)
        place = (published.set and f"{published.set} ({source})") or source
        rows.append([published.model, f"{published.percent:.4g}", place, remarks(published, ours.of)])
    rows.append([result.policy, _our_number(ours), "this run", _our_remarks(ours)])
    whose = "of this policy" if result.of_this_policy else "of all policies"
    heading = f"{cells().title_of(result.cell)} ({result.cell}, {result.setting}), published numbers {whose}"
    show_rows(heading, ["policy", NUMBER, "published in", "remarks"], rows)


def _our_number(ours: Row) -> str:
    low, high = ours.interval or (None, None)
    return number({"rate": ours.rate, "low": low, "high": high, "lacks": ours.lacks})


def _our_remarks(ours: Row) -> str:
    """How much of the cell was played, and what to do where there is no rate."""
    whole = "" if ours.of is None else f"of {ours.of} " if ours.repeats == 1 else f"of {ours.repeats} x {ours.of} "
    of = ours.tally.n if ours.of is None else ours.of * ours.repeats
    texts = [f"{ours.tally.n} {whole}{noun(of, 'episode')}"]
    if ours.spread is not None:
        texts.append(f"spread {percent(ours.spread)} over {ours.repeats} repeats")
    if ours.rate is None and ours.tally.n:
        texts.append("--partial gives the rate of what there is")
    return "; ".join(texts)


def _as_json(result: Reproduction) -> dict[str, Any]:
    from eval.published.numbers import references

    ours, tally = result.ours, result.ours.tally
    numbers = {"rate": ours.rate, "n": tally.n, "successes": tally.successes, "errored": tally.errored}
    low, high = ours.interval or (None, None)
    sources = dict.fromkeys(source for number in result.published for source in number.sources)
    return {
        "cell": result.cell, "setting": result.setting, "policy": result.policy, "title": result.title,
        "ours": {**numbers, "missing": tally.missing, "low": low, "high": high, "of": ours.of,
                 "lacks": ours.lacks, "repeats": ours.repeats, "spread": ours.spread},
        "published_are_of_this_policy": result.of_this_policy,
        "published": [asdict(number) for number in result.published],
        "sources": {source: references()[source].model_dump() for source in sources},
        "disagreements": [entry.model_dump() for entry in result.disagreements],
    }  # fmt: skip


def _list(as_json: bool) -> None:
    """Every cell and setting with its size, how many numbers were published, and those of our policies."""
    from eval.published.cells import cell_names, cell_size, published_settings
    from eval.published.numbers import policy_models, published_numbers
    from eval.records.cells import cells

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
    show_rows("Cells (simpler-eval reproduce POLICY CELL --setting SETTING), and how many numbers of them were published", [
        "cell", "setting", "episodes", "numbers"
    ], [[entry[key] for key in ("cell", "setting", "episodes", "published")] for entry in entries])  # fmt: skip
    ours = [entry for entry in entries if any(entry[model] is not None for model in models)]
    show_rows("Published success in percent of the policies here", ["cell", "setting", *models], [
        [cells().title_of(entry["cell"]), entry["setting"], *(entry[model] for model in models)] for entry in ours
    ])  # fmt: skip
