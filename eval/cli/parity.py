"""Verbs that check the world and the machine: ``parity``, ``bench`` and ``doctor``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from eval.cli import ranking
from eval.cli.options import AssetsOption, Json
from eval.errors import UserError

if TYPE_CHECKING:
    from eval.parity.report import ParityReport

Html = Annotated[
    Path | None, typer.Option("--html", help="Also write a page: checks, notes and, for images, ours beside the originals.")
]

parity = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Compare with recordings of the original.")
bench = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure speed on this machine.")


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    ranking.add_to(parity)
    app.add_typer(parity, name="parity")
    app.add_typer(bench, name="bench")
    app.command("doctor")(doctor_verb)


@parity.command("world")
def parity_world_verb(
    folder: Annotated[Path, typer.Argument(help="Folder of recordings (one folder a key).")],
    only: Annotated[str, typer.Option(help="Comma list of key patterns, such as 'coke_*,carrot_*'.")] = "",
    assets: AssetsOption = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Kinematics, controllers, resets and replays against recordings; exit 1 if a check misses its limit."""
    from eval.parity.recordings.world import compare_world

    _tell("world", lambda: compare_world(folder, _patterns(only), assets), as_json, html)


@parity.command("images")
def parity_images_verb(
    folder: Annotated[Path, typer.Argument(help="Folder of recorded pictures (with frames/).")],
    only: Annotated[str, typer.Option(help="Comma list of key patterns, such as '*coke*,*carrot*'.")] = "",
    assets: AssetsOption = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Redraw recorded states and compare pictures; exit 1 if a check misses its limit."""
    from eval.parity.recordings.images import compare_images

    _tell("images", lambda: compare_images(folder, _patterns(only), assets), as_json, html)


@parity.command("original")
def parity_original_verb(
    folder: Annotated[Path, typer.Argument(help="Folder of recordings (one folder a key), as for `parity world`.")],
    images: Annotated[Path | None, typer.Option(help="Folder of recorded pictures, as for `parity images`.")] = None,
    world_python: Annotated[
        str | None, typer.Option(help="Interpreter of the original; default: of SIMPLER_ENV_PYTHON, else our own.")
    ] = None,
    only: Annotated[str, typer.Option(help="Comma list of key patterns, such as 'coke_*,vm_*'.")] = "",
    sequences: Annotated[int, typer.Option(help="So many sequences a key.", min=1)] = 3,
    workers: Annotated[int | None, typer.Option(help="Simulator processes; default: one a core.", min=1)] = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """The original simulator behind our runner against recordings; exit 1 if a check misses its limit."""
    from eval.parity.recordings.original import compare_original

    def compare() -> ParityReport:
        return compare_original(folder, images, world_python, _patterns(only), sequences, workers)

    _tell("original", compare, as_json, html)


@parity.command("model")
def parity_model_verb(
    folder: Annotated[Path, typer.Argument(help="Folder of recordings of the model (model_*.json, processor.npz, ...).")],
    only: Annotated[str, typer.Option(help="Comma list of key patterns, such as 'A/*,rotary/*'.")] = "",
    html: Html = None,
    as_json: Json = False,
) -> None:
    """The VLA model's tokens, pictures, logits and actions against recordings; exit 1 if a check misses its limit."""
    _tell("model", lambda: _comparison("model")(folder, _patterns(only)), as_json, html)


@parity.command("trace")
def parity_trace_verb(
    folder: Annotated[Path, typer.Argument(help="Folder of recorded trace runs (with runs/).")],
    only: Annotated[str, typer.Option(help="Comma list of run patterns, such as 'stub_*,real_*'.")] = "",
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Trace processor, drawing and tracker against recorded runs; exit 1 if a check misses its limit."""
    _tell("trace", lambda: _comparison("trace")(folder, _patterns(only)), as_json, html)


@bench.command("sim")
def bench_sim_verb(
    workers: Annotated[int, typer.Option(help="Measure 1, 2, 4, ... up to so many workers; default: the cores.", min=1)] = 0,
    steps: Annotated[int, typer.Option(help="Control steps a worker.", min=1)] = 60,
    assets: AssetsOption = None,
    as_json: Json = False,
) -> None:
    """Control steps a second with pictures, and the share of time spent inside SAPIEN."""
    from eval.diagnostics.bench.sim import measure

    rows = measure(workers or None, steps, assets)
    if as_json:
        typer.echo(json.dumps({"rows": [asdict(row) for row in rows]}, indent=2))
        return
    for row in rows:
        typer.echo(
            f"{row.task:28} workers {row.workers:2}  {row.steps_per_second:6.1f} steps/s  inside SAPIEN {row.inside_sapien:.1%}"
        )


@bench.command("policy")
def bench_policy_verb(
    policy: Annotated[str, typer.Argument(help="As for run --policy.")],
    policy_arg: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the policy, may be repeated.")] = None,
    episodes: Annotated[int, typer.Option(help="Episodes, half of each robot.", min=2)] = 16,
    workers: Annotated[int | None, typer.Option(help="Simulator processes; default: one a core.", min=1)] = None,
    max_steps: Annotated[int | None, typer.Option(help="Step limit instead of the tasks' own.", min=1)] = None,
    assets: AssetsOption = None,
    as_json: Json = False,
) -> None:
    """Time to load, milliseconds a batch and control steps a second of a policy with the simulator beside it."""
    from eval.cli.options import policy_args_of
    from eval.diagnostics.bench.policy import measure_policy

    found = measure_policy(policy, policy_args_of(policy_arg), episodes, workers, max_steps, assets)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2, default=str))
        return
    typer.echo(f"{policy}: loaded in {found.load_seconds:.1f} s, first batch {found.first_batch_ms:.0f} ms")
    typer.echo(f"{found.batches} batches of {found.mean_batch:.1f}: {found.ms_per_batch:.1f} ms a batch (median), "
               f"{found.ms_per_observation:.1f} ms an observation")  # fmt: skip
    typer.echo(f"{found.steps_per_second:.1f} control steps/s, the policy busy {found.policy_share:.0%} of the time")


def _comparison(name: str) -> Callable[[Path, Sequence[str]], ParityReport]:
    """What a policy's package offers to be compared by; the harness itself knows no concrete policy."""
    points = list(entry_points(group="simpler_eval.parity", name=name))
    if not points:
        raise UserError(f'this installation knows no comparison "{name}". Install simpler-eval again (make setup).')
    try:
        compare: Callable[[Path, Sequence[str]], ParityReport] = points[0].load()
    except ModuleNotFoundError as error:
        raise UserError(f'parity {name} needs the package "{error.name}", which is not installed; run `make vla`.') from error
    return compare


def _patterns(text: str) -> list[str]:
    return [pattern.strip() for pattern in text.split(",") if pattern.strip()]


def _tell(what: str, compare: Callable[[], ParityReport], as_json: bool, html: Path | None) -> None:
    """Compare, print the report, write its page if one is wanted, and exit with the verdict."""
    if html is None:
        report = compare()
    else:
        from eval.parity.page import prepare_page, write_page

        prepare_page(html)
        report = compare()
        write_page(report, html, f"Parity with the original: {what}")
    content = report.to_json()
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        for check in content["checks"]:
            verdict = "ok    " if check["passed"] else "MISSED"
            numbers = f"{check['worst']:.3g} (limit {check['limit']:.3g}) {check['unit']}, n {check['n']}"
            typer.echo(f"{verdict} {check['key']:28} {check['check']:32} {numbers}")
        for note in content.get("notes", ()):
            typer.echo(note)
        if html is not None:
            typer.echo(html)
    raise typer.Exit(0 if content["passed"] else 1)


def doctor_verb(assets: AssetsOption = None, as_json: Json = False) -> None:
    """Check Python, packages, Vulkan, video encoder, assets and GPU; one line on how to fix what is absent or wrong.

    Exit code 1 if something is absent that every run needs.
    """
    from eval.diagnostics.doctor import doctor_table, passed, run_doctor

    checks = run_doctor(assets)
    fine = passed(checks)
    if as_json:
        typer.echo(json.dumps({"passed": fine, "checks": [check.model_dump() for check in checks]}, indent=2))
    else:
        Console().print(doctor_table(checks))
    raise typer.Exit(0 if fine else 1)
