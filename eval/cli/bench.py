"""The verbs ``bench sim`` and ``bench policy``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from eval.cli import exact
from eval.cli.layout import show_text
from eval.cli.options import AssetsOption, Json, RenderDevice, policy_args_of
from eval.cli.verbs import Verbs

bench = Verbs(no_args_is_help=True, help="Measure speed on this machine.")


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    exact.add_to(bench)
    app.add_typer(bench, name="bench")


@bench.command("sim")
def bench_sim_verb(
    workers: Annotated[
        int | None, typer.Option(help="Measure 1, 2, 4, ... up to N workers; default: the cores.", min=1, max=256)
    ] = None,
    steps: Annotated[int, typer.Option(help="Control steps a worker.", min=1, max=100_000)] = 60,
    assets: AssetsOption = None,
    render_device: RenderDevice = None,
    as_json: Json = False,
) -> None:
    """Control steps a second with images, and the share of time spent inside SAPIEN."""
    from eval.diagnostics.bench.sim import measure

    rows = measure(workers, steps, assets, render_device)
    if as_json:
        typer.echo(json.dumps({"rows": [asdict(row) for row in rows]}, indent=2))
        return
    for row in rows:
        line = f"{row.task:28} workers {row.workers:2}  {row.steps_per_second:6.1f} steps/s  "
        show_text(f"{line}inside SAPIEN {row.inside_sapien:.1%}", "  ")


@bench.command("policy")
def bench_policy_verb(
    policy: Annotated[str, typer.Argument(help="As for run --policy.")],
    policy_arg: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the policy, may be repeated.")] = None,
    episodes: Annotated[int, typer.Option(help="Episodes, half of each robot.", min=2)] = 16,
    workers: Annotated[int | None, typer.Option(help="Simulator processes; default: one a core.", min=1)] = None,
    max_steps: Annotated[int | None, typer.Option(help="Step limit instead of the tasks' own.", min=1, max=100_000)] = None,
    assets: AssetsOption = None,
    render_device: RenderDevice = None,
    as_json: Json = False,
) -> None:
    """Time to load, milliseconds a batch and control steps a second of a policy with the simulator beside it."""
    from eval.diagnostics.bench.policy import measure_policy

    speed = measure_policy(policy, policy_args_of(policy_arg or ()), episodes, workers, max_steps, assets, render_device)
    if as_json:
        content = {**asdict(speed), "description": speed.description.model_dump(mode="json")}
        typer.echo(json.dumps(content, indent=2))
        return
    show_text(f"{policy}: loaded in {speed.load_seconds:.1f} s, first batch {speed.first_batch_ms:.0f} ms")
    show_text(f"{speed.batches} batches of {speed.mean_batch:.1f}: {speed.ms_per_batch:.1f} ms a batch (median), "
               f"{speed.ms_per_observation:.1f} ms an observation")  # fmt: skip
    show_text(f"{speed.steps_per_second:.1f} control steps/s, the policy busy {speed.policy_share:.0%} of the time")
