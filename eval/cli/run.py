"""Verbs that play episodes: ``run`` and ``smoke``."""

from __future__ import annotations

import json
import shlex
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from eval.assets.options import assets_text
from eval.backends.selection import ORIGINAL, OWN
from eval.cli.options import (
    MODEL,
    PLAY,
    AssetsFallback,
    AssetsOption,
    Json,
    Limit,
    MaxSteps,
    Sample,
    Seed,
    Setting,
    Shard,
    Suites,
    Tasks,
    Variants,
    plan_of,
    policy_args_of,
)
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.plan.shards import take_shard
from eval.records.folder import RunData, know_tasks, load_run
from eval.records.results import EpisodeRecord
from eval.rollout.run import WATCHDOG_SECONDS, default_out, run

PolicyName = Annotated[
    str | None,
    typer.Option(
        help="oracle (default), random, replay, any installed policy, module:Class, or path/to/file.py:Class.",
        rich_help_panel=PLAY,
    ),
]
PolicyArgs = Annotated[
    list[str] | None,
    typer.Option("--policy-arg", help="NAME=VALUE for the policy, may be repeated.", rich_help_panel=PLAY),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        help="For a neural network: a folder, owner/name[@revision] on the Hugging Face hub, or tiny-random.",
        rich_help_panel=MODEL,
    ),
]
Device = Annotated[str | None, typer.Option(help="auto (default), cpu, cuda or cuda:N.", rich_help_panel=MODEL)]
Dtype = Annotated[
    str | None,
    typer.Option(help="auto (default: bfloat16 on a GPU, else float32), float32, bfloat16 or float16.", rich_help_panel=MODEL),
]
Generation = Annotated[
    str | None,
    typer.Option(help="restricted (default: the likeliest action) or full (the likeliest token).", rich_help_panel=MODEL),
]
TracePreset = Annotated[str | None, typer.Option(help="released (default) or paper.", rich_help_panel=MODEL)]
Tracker = Annotated[
    str | None, typer.Option(help="auto (default), cotracker or lucas_kanade (optical flow).", rich_help_panel=MODEL)
]
TrackerCheckpoint = Annotated[str | None, typer.Option(help="CoTracker's scaled_offline.pth.", rich_help_panel=MODEL)]
Out = Annotated[
    Path | None,
    typer.Option(help="Run folder; default: a new results/<date>-<policy>. The same one continues a run."),
]
Resume = Annotated[Path | None, typer.Option(help="Continue the run in this folder, with its own plan, policy and assets.")]
Workers = Annotated[int | None, typer.Option(help="Simulator processes; default: one a core.", rich_help_panel=PLAY)]
Video = Annotated[
    str | None,
    typer.Option(
        help="all, failures, first:N (of each task) or none (default; demo: all). policy-view, alone or after one of them "
        "and a comma, also shows what the policy saw and meant.",
        rich_help_panel=PLAY,
    ),
]
Watchdog = Annotated[
    float | None,
    typer.Option(
        help=f"Seconds a simulator process may be silent before it is replaced; default {WATCHDOG_SECONDS:g}.",
        rich_help_panel=PLAY,
    ),
]
RayTracing = Annotated[
    str | None,
    typer.Option(
        help="How drawer episodes are drawn, for which the original traces rays: trace, raster (the table says so), or auto "
        "(default): trace where a GPU draws. On a CPU a traced picture takes minutes.",
        rich_help_panel=PLAY,
    ),
]
WorldName = Annotated[
    str | None,
    typer.Option(
        help="simpler-eval (default) is our own; simpler-env is the original simulator, in an interpreter that has it.",
        rich_help_panel=PLAY,
    ),
]
WorldPython = Annotated[
    str | None,
    typer.Option(
        help="Interpreter of --world simpler-env, such as env/bin/python; default: that of SIMPLER_ENV_PYTHON, else our own.",
        rich_help_panel=PLAY,
    ),
]
RetryErrored = Annotated[bool, typer.Option(help="Run errored episodes of a continued run again.")]
Partial = Annotated[bool, typer.Option(help="Give totals a rate although episodes are missing or errored.")]


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("run")(run_verb)
    app.command("smoke")(smoke_verb)


def run_verb(
    context: typer.Context,
    suite: Suites = None,
    task: Tasks = None,
    setting: Setting = "visual_matching",
    variant: Variants = None,
    seed: Seed = None,
    limit: Limit = None,
    sample: Sample = None,
    max_steps: MaxSteps = None,
    shard: Shard = None,
    policy: PolicyName = None,
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
    resume: Resume = None,
    workers: Workers = None,
    video: Video = None,
    rt: RayTracing = None,
    world: WorldName = None,
    world_python: WorldPython = None,
    watchdog: Watchdog = None,
    retry_errored: RetryErrored = False,
    partial: Partial = False,
    as_json: Json = False,
) -> None:
    """Play episodes with a policy; leave a table and videos.

    Without options: the demonstration (scripted oracle, two robots, built-in assets, all videos).

    Examples:

      simpler-eval run --task google_robot_pick_coke_can --policy random --limit 10

      simpler-eval run --policy my_policy.py:MyPolicy --suite coke_can_and_carrot --out results/mine

      simpler-eval run --policy openvla_phi3 --checkpoint tiny-random --task widowx_carrot_on_plate --limit 2

      simpler-eval run --resume results/mine
    """
    policy_args = all_policy_args(
        policy_arg, checkpoint=checkpoint, device=device, dtype=dtype, generation=generation,
        trace_preset=trace_preset, tracker=tracker, tracker_checkpoint=tracker_checkpoint,
    )  # fmt: skip
    options: dict[str, Any] = {
        "workers": workers, "video": video, "watchdog": watchdog, "rt": rt, "world_python": world_python,
        "retry_errored": retry_errored, "partial": partial,
    }  # fmt: skip
    if resume is not None:
        if suite or task or variant or policy or policy_args or out or limit or sample or max_steps or shard or world:
            raise UserError("--resume takes plan, policy, assets and world from the run; leave those options out.")
        plan, name, saved, kept = _kept_by(resume)
        options, path = options | kept, resume
    else:
        name = policy or "oracle"
        plan = tuple(plan_of(suite, task, setting, variant, seed, limit, sample, max_steps))
        saved = {"video": "none" if suite or task else "all"}
        packs = assets_text(_assets_for(context, world, assets), assets_fallback)
        options |= {"policy_args": policy_args, "assets": packs, "shard": shard, "world": world or OWN}
        path = out or default_out(name)
    _show(play_with_progress(plan, name, path, _filled(options, saved)), as_json, partial)


def _assets_for(context: typer.Context, world: str | None, assets: str | None) -> str | None:
    """``--assets``; what the environment variable says of our own world is not meant for the original."""
    source = context.get_parameter_source("assets")
    return None if world == ORIGINAL and source is not None and source.name == "ENVIRONMENT" else assets


def _filled(options: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """Options with what was not given taken from an earlier session, else from the defaults."""
    saved = {"watchdog": WATCHDOG_SECONDS, "rt": "auto", **saved}
    names = ("workers", "video", "watchdog", "rt", "world_python")
    return options | {name: saved.get(name) for name in names if options[name] is None}


def _kept_by(run: Path) -> tuple[tuple[EpisodeSpec, ...], str, dict[str, Any], dict[str, Any]]:
    """Of a run to go on with: plan, policy, options of its last session, and what may not change."""
    found = load_run(run)
    know_tasks(run)
    identity = found.header["identity"]
    kept = {"policy_args": identity["policy_args"], "assets": identity["assets"]}
    kept["world"] = identity.get("world", {}).get("name", OWN)
    return found.plan, identity["policy"], found.header["options"], kept


def all_policy_args(texts: list[str] | None, **model: str | None) -> dict[str, str]:
    """What goes to the policy: ``--policy-arg``, and those of the model's own options that were given."""
    return policy_args_of(texts) | {key: value for key, value in model.items() if value is not None}


def play_with_progress(plan: Any, name: str, path: Path, options: dict[str, Any]) -> RunData:
    """``eval.run`` with a bar on stderr; Ctrl-C and ``kill`` say how to go on."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` and batch systems stop a run like Ctrl-C
    shard = options.get("shard")
    episodes = len(take_shard(plan, shard) if shard else plan)
    try:
        with RunProgress(Console(stderr=True), name, episodes) as progress:
            return run(plan, name, out=path, on_start=progress.begin, listener=progress.episode, **options)
    except KeyboardInterrupt:
        done = len(load_run(path).records) if (path / "run.json").is_file() else 0
        command = shlex.join(["simpler-eval", "run", "--resume", str(path)])
        typer.echo(f"Stopped; {done} of {episodes} episodes are done. Continue with: {command}", err=True)
        raise typer.Exit(130) from None


def _show(data: RunData, as_json: bool, partial: bool) -> None:
    from eval.cli.report import print_table

    print_table(data, as_json, partial, data.path / "tables")
    errored = sum(record.status == "errored" for record in data.records.values())
    if errored:
        typer.echo(f"{errored} episodes have no verdict; their errors are in {data.path}/episodes.jsonl", err=True)
        raise typer.Exit(1)


class RunProgress:
    """A bar with ETA, success so far and episodes per second."""

    def __init__(self, console: Console, policy: str, total: int) -> None:
        columns = (
            BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn(elapsed_when_finished=False),
        )  # fmt: skip
        self._progress = Progress(*columns, console=console, speed_estimate_period=600)
        self._policy, self._total = policy, total
        self._counts = {"success": 0, "failure": 0, "errored": 0}
        self._new, self._start = 0, time.monotonic()
        self._task = self._progress.add_task("", total=total, state="starting workers", visible=False)

    def begin(self, path: Path, before: list[EpisodeRecord]) -> None:
        """The input is usable and the workers are about to start."""
        for record in before:
            self._counts[record.status] += 1
        text = f"{self._total} episodes with {self._policy} into {path}"
        text += f" ({len(before)} done before)" if before else ""
        self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)
        self._progress.update(self._task, completed=len(before), visible=True)
        self._progress.start()

    def episode(self, record: EpisodeRecord) -> None:
        """One more is done."""
        self._counts[record.status] += 1
        self._new += 1
        judged = self._counts["success"] + self._counts["failure"]
        state = f"success {self._counts['success']}/{judged}"
        if self._counts["errored"]:
            state += f", errored {self._counts['errored']}"
        state += f", {self._new / (time.monotonic() - self._start):.2f} episodes/s"
        self._progress.update(self._task, advance=1, state=state)

    def __enter__(self) -> RunProgress:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if self._progress.tasks[0].visible:
            self._progress.stop()


def smoke_verb(
    assets: AssetsOption = None,
    out: Annotated[Path | None, typer.Option(help="Keep the run here; default: a folder that is removed.")] = None,
    as_json: Json = False,
) -> None:
    """Play one short episode of each robot and check pictures, table and videos; under 3 minutes on 2 cores."""
    from eval.diagnostics.smoke import run_smoke

    checks = run_smoke(assets, out)
    passed = all(check.passed for check in checks)
    if as_json:
        typer.echo(json.dumps({"passed": passed, "checks": [vars(check) for check in checks]}, indent=2))
    else:
        for check in checks:
            typer.echo(f"{'ok    ' if check.passed else 'FAILED'} {check.name}: {check.detail}")
    raise typer.Exit(0 if passed else 1)
