"""The verbs ``bench ...``: how fast this machine is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from eval.cli import exact
from eval.cli.layout import show_text
from eval.cli.options import AllBut, AssetsOption, Json, ModelOptions, Only, RenderDevice, expand_options
from eval.cli.verbs import Verbs
from eval.errors import UserError, did_you_mean
from eval.options import Excludes, Needs
from eval.plan.options import PlanOptions
from eval.records.options import RunOptions

if TYPE_CHECKING:
    from eval.diagnostics.bench.report import Report
    from eval.episode import EpisodeSpec

Measured = TypeVar("Measured", bound="Report")

bench = Verbs(no_args_is_help=True, help="Measure speed on this machine.")

PolicyName = Annotated[str, typer.Argument(help="As for run --policy.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown: command, machine and a table.")]
Repeats = Annotated[int, typer.Option(help="Measure N times; median and spread are shown.", min=1, max=1000)]
Episodes = Annotated[int, typer.Option(help="Episodes, half for each robot, if no suite or task is given.", min=2)]
NOT_MEASURED = (
    *("policy", "policy_args", "partial", "success", "retry_errored", "policy_changed", "video", "record", "report_to"),
    *("gpus", "replicas", "cluster"),
)
"""Options of a run that a measurement has no use for: it watches one policy, in its own process."""
WHICH = tuple(Excludes(chosen, ("episodes",), "that says which are played") for chosen in ("suites", "tasks", "limit"))
"""``--episodes`` is for who names none."""
RunSettings = Annotated[RunOptions, AllBut(NOT_MEASURED)]
RtSettings = Annotated[RunOptions, AllBut((*NOT_MEASURED, "repeat", "no_actions"))]
AloneSettings = Annotated[RunOptions, Only(("assets", "rt", "render_device", "world"))]


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    exact.add_to(bench)
    app.add_typer(bench, name="bench")


@bench.command("sim")
def bench_sim_verb(
    workers: Annotated[
        int | None, typer.Option(help="Measure 1, 2, 4, ... up to N workers; default: the cores.", min=1, max=256)
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Measure only this number of workers.")] = False,
    task: Annotated[list[str] | None, typer.Option(help="Task; may be repeated; default: one per robot.")] = None,
    steps: Annotated[int, typer.Option(help="Control steps per worker and repeat.", min=1, max=100_000)] = 60,
    repeats: Repeats = 3,
    assets: AssetsOption = None,
    render_device: RenderDevice = None,
    as_json: Json = False,
    markdown: Markdown = False,
) -> None:
    """Control steps per second with images and without a policy, and the share of time spent inside SAPIEN."""
    from eval.diagnostics.bench.sim import TASKS, measure

    _show(lambda: measure(workers, steps, assets, render_device, task or TASKS, repeats, alone), as_json, markdown)


@bench.command("rt")
@expand_options
def bench_rt_verb(
    options: RtSettings,
    scene: Annotated[list[str] | None, typer.Option(help="visual-matching or closed-room; default: both.")] = None,
    steps: Annotated[int, typer.Option(help="Control steps per episode.", min=2, max=100_000)] = 40,
    episodes: Annotated[int | None, typer.Option(help="Episodes per scene; default: one per worker.", min=1)] = None,
    as_json: Json = False,
    markdown: Markdown = False,
) -> None:
    """Control steps per second of ray-traced drawer episodes, with a policy of negligible cost."""
    from eval.diagnostics.bench.rt import SCENES, measure_rt

    for name in scene or ():
        if name not in SCENES:
            raise UserError(f'--scene "{name}" is not known; use {" or ".join(SCENES)}.{did_you_mean(name, SCENES)}')
    _show(lambda: measure_rt(options, steps, episodes, tuple(dict.fromkeys(scene or ()))), as_json, markdown)


@bench.command("policy")
@expand_options
def bench_policy_verb(
    policy: PolicyName,
    model: ModelOptions,
    episodes: Episodes = 16,
    workers: Annotated[int | None, typer.Option(help="Simulator processes; default: one per core.", min=1)] = None,
    max_steps: Annotated[int | None, typer.Option(help="Step limit; default: the tasks' own.", min=1, max=100_000)] = None,
    repeats: Repeats = 1,
    assets: AssetsOption = None,
    render_device: RenderDevice = None,
    as_json: Json = False,
    markdown: Markdown = False,
) -> None:
    """Loading time, milliseconds per batch and control steps per second of a policy, with the simulator running."""
    from eval.diagnostics.bench.policy import measure_policy

    args = model.args()
    _show(lambda: measure_policy(policy, args, episodes, workers, max_steps, assets, render_device, repeats), as_json, markdown)


@bench.command("tracker")
@expand_options
def bench_tracker_verb(
    model: Annotated[ModelOptions, Only(("tracker", "tracker_checkpoint", "device"))],
    episodes: Annotated[int, typer.Option(help="Episodes per call.", min=1, max=1000)] = 16,
    repeats: Repeats = 5,
    as_json: Json = False,
    markdown: Markdown = False,
) -> None:
    """Milliseconds of each kind of call of the point tracker of tracevla_phi3, alone."""
    from eval.diagnostics.bench.tracker import measure_trackers

    tracker, device = model.tracker or "auto", model.device or "auto"
    _show(lambda: measure_trackers(tracker, model.tracker_checkpoint, device, episodes, repeats), as_json, markdown)


@bench.command("end2end")
@expand_options(rules=(*WHICH, Needs("baseline_episodes", ("with_baseline",), "that loop is not played")))
def bench_end2end_verb(
    policy: PolicyName,
    plan: Annotated[PlanOptions, AllBut(("shard",))],
    options: RunSettings,
    model: ModelOptions,
    episodes: Episodes = 16,
    with_baseline: Annotated[
        bool, typer.Option("--with-baseline", help="Also run the released loop, and print the ratio.")
    ] = False,
    baseline_episodes: Annotated[int, typer.Option(help="Episodes for the baseline.", min=1)] = 2,
    out: Annotated[Path | None, typer.Option(help="Run folder to keep; the same one continues a run.")] = None,
    as_json: Json = False,
    markdown: Markdown = False,
) -> None:
    """An ordinary run including start-up: episodes per hour, and the time spent in each stage."""
    from eval.diagnostics.bench.end2end import measure_end_to_end

    chosen, given = _chosen(plan, episodes), _with_policy(options, policy, model)
    given.check_for(chosen)
    loop = baseline_episodes if with_baseline else None
    report = _show(lambda: measure_end_to_end(chosen, given, out, loop), as_json, markdown)
    if report.problem is not None:
        raise UserError(report.problem)


@bench.command("baseline")
@expand_options
def bench_baseline_verb(
    policy: PolicyName,
    plan: Annotated[PlanOptions, AllBut(("shard",))],
    options: AloneSettings,
    model: ModelOptions,
    episodes: Episodes = 2,
    as_json: Json = False,
    markdown: Markdown = False,
) -> None:
    """The loop released with the policies: one simulator, sequential episodes, a batch of one, no fast path."""
    from eval.diagnostics.bench.baseline import measure_baseline

    chosen, given = _chosen(plan, episodes), _with_policy(options, policy, model)
    given.check_for(chosen)
    _show(lambda: measure_baseline(chosen, given, episodes), as_json, markdown)


@bench.command("plot")
def bench_plot_verb(
    reports: Annotated[list[Path], typer.Argument(help="Outputs of the other bench commands with --json, one file each.")],
    out: Annotated[Path, typer.Option(help="Output PNG.")] = Path("bench.png"),
) -> None:
    """Plot steps per second against workers and batch size, and the time spent in each stage of a control step."""
    from eval.diagnostics.bench.plot import check_plot_file, plot, read_report

    check_plot_file(out)
    plot([read_report(file) for file in reports], out)
    typer.echo(out)


def _chosen(plan: PlanOptions, episodes: int) -> list[EpisodeSpec]:
    """The plan, or without a suite or task episodes of both robots."""
    from eval.diagnostics.bench.end2end import TASKS

    if not (plan.suites or plan.tasks):
        few = max(1, episodes // len(TASKS))
        plan = plan.model_copy(update={"tasks": TASKS, "limit": plan.limit or few})
    return plan.plan()


def _with_policy(options: RunOptions, policy: str, model: ModelOptions) -> RunOptions:
    return options.model_copy(update={"policy": policy, "policy_args": model.args()})


def _show(measure: Callable[[], Measured], as_json: bool, markdown: bool) -> Measured:
    if as_json and markdown:
        raise UserError("--json and --markdown are two ways to print the same; give one of them.")
    report = measure()
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    elif markdown:
        typer.echo(report.markdown())
    else:
        for line in report.lines():
            show_text(line, "  ")
    return report
