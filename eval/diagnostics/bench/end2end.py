"""``bench end2end``: an ordinary run from its start to its tables, in episodes an hour, and where its time goes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from eval.backends.render_devices import find_render_device
from eval.diagnostics.bench.baseline import BaselineSpeed, measure_baseline
from eval.diagnostics.bench.played import PlayedRun, play_timed
from eval.diagnostics.bench.report import Measured, Rate, Report, Row, measured_here
from eval.diagnostics.bench.timed_policy import Batch, Pace, asked_too_rarely, pace_of
from eval.episode import EpisodeSpec
from eval.nouns import counted
from eval.records.options import RunOptions
from eval.rollout.policy_closing import close_object
from eval.rollout.run import check_run
from policies.base import Policy, PolicyDescription
from policies.registry import load_policy, with_device

TASKS = ("google_robot_pick_coke_can", "widowx_carrot_on_plate")
TIMINGS = "timings"
"""In a policy's ``details``: part -> seconds so far, if it tells."""


class Stages(Measured):
    """Where the time goes, in seconds; every second of a process is in one stage."""

    simulators: dict[str, float]
    """Of all simulator processes together. ``build``: a scene; ``simulate``; ``draw``: what the processor does for an image;
    ``turn``: waiting for the others' images; ``read-back``: waiting for the card's image and fetching it; ``picture``: laying
    it over the photo; ``wait``: for the next action, and at the beginning for the policy."""
    policy: dict[str, float]
    """Of the process with the policy, from the first observation to the last action. What the policy tells of itself, ``other``
    of its own, and ``idle``: waiting for observations and for what is prepared of them, and passing them on."""
    steps: int
    """Control steps that these are of."""


class EndToEnd(Row):
    """One run."""

    policy: str
    workers: int
    per_worker: int = 1
    """Episodes that each of them held at once."""
    batch: int | None
    """Observations of a full batch; None: the policy was asked about whatever was ready."""
    episodes: int
    """Played by this call."""
    steps: int
    errored: int
    load_seconds: float
    """Until the policy was there."""
    start_seconds: float
    """From then to the first observation."""
    wall_seconds: float
    """Everything: policy loaded, workers started, scenes built, tables written."""
    episodes_per_hour: float
    """With all of that."""
    steps_per_second: float
    """From the first action to the last."""
    steady_steps_per_second: float
    """While all workers are at work; median of several parts of the run."""
    repeats: tuple[float, ...]
    """Steps a second of each of those parts."""
    mean_batch: float
    policy_share: float
    """Of the time from the first observation to the last action."""
    gpu_memory_gib: float | None
    """In use on the fullest card at most: policy, tracker and renderers, with whatever else was on it."""
    stages: Stages
    description: PolicyDescription
    """After the run."""

    def cells(self) -> dict[str, str]:
        """For a table."""
        memory = {} if self.gpu_memory_gib is None else {"GPU memory GiB": f"{self.gpu_memory_gib:.1f}"}
        return {
            "policy": self.policy,
            "workers": str(self.workers) if self.per_worker == 1 else f"{self.workers}, {self.per_worker} episodes each",
            "episodes": str(self.episodes),
            "steps": str(self.steps),
            "episodes/h": f"{self.episodes_per_hour:.0f}",
            "steps/s": f"{self.steps_per_second:.1f}",
            "steady": Rate(median=self.steady_steps_per_second, repeats=self.repeats).shown(),
            "load, start s": f"{self.load_seconds:.1f}, {self.start_seconds:.1f}",
            "observations a batch": f"{self.mean_batch:.1f}",
            "policy busy": f"{self.policy_share:.0%}",
            **memory,
            "errored": str(self.errored),
        }


class EndToEndReport(Report):
    """What ``bench end2end`` measured."""

    speed: EndToEnd
    baseline: BaselineSpeed | None = None
    """The released loop on the same machine, in the same call."""
    problem: str | None = None
    """Why the run ended before its plan did, or is not whole on disk; the numbers are of what was played."""

    @property
    def ratio(self) -> float | None:
        """Steps a second of the run over those of the released loop, both from the first action on."""
        return None if self.baseline is None else self.speed.steps_per_second / self.baseline.steps_per_second

    @property
    def table(self) -> Sequence[Row]:
        """The run."""
        return (self.speed,)

    def notes(self) -> list[str]:
        """Where the time goes, and the ratio to the released loop, in lines."""
        lines = [_shares("simulators", self.speed.stages.simulators), _shares("policy process", self.speed.stages.policy)]
        if self.baseline is not None and self.ratio is not None:
            loop = self.baseline
            speed = Rate(median=loop.steps_per_second, repeats=loop.repeats).shown(2)
            lines.append(
                f"released loop: {speed} steps/s, {counted(loop.episodes, 'episode')}; the run is "
                f"{self.ratio:.1f} times as fast"
            )
        return [line for line in lines if line]

    def lines(self) -> list[str]:
        """For a terminal."""
        return [*super().lines(), *self.notes()]

    def markdown(self) -> str:
        """For a page."""
        return "\n\n".join([super().markdown(), *self.notes()])


def _shares(what: str, seconds: Mapping[str, float]) -> str:
    whole = sum(seconds.values())
    parts = sorted(seconds.items(), key=lambda item: -item[1])
    return f"{what}: {', '.join(f'{name} {value / whole:.0%}' for name, value in parts)}" if whole else ""


def measure_end_to_end(
    plan: Sequence[EpisodeSpec], options: RunOptions, out: Path | None = None, baseline: int | None = None
) -> EndToEndReport:
    """Load a policy and play a plan with it as ``run`` does.

    Args:
        plan: the episodes.
        options: as of ``eval.run``.
        out: folder that is kept; one with a part of the same run continues it.
        baseline: also play so many episodes as the released loop does, afterwards.

    Raises:
        UserError: as of ``eval.run``; or everything was played before.
    """
    check_run(plan, options, out)
    begin = time.perf_counter()
    policy = _loaded(options)
    load_seconds = time.perf_counter() - begin
    try:
        run = play_timed(plan, options, policy, out)
    finally:
        close_object(policy, options.policy)
    if len(run.batches) < 2:
        raise asked_too_rarely(run.data.records.values(), "play more, or a new --out")
    speed = _speed(run, options, load_seconds)
    loop = None if baseline is None else measure_baseline(plan, options, baseline).speed
    world = run.data.header.world
    measured, drivers = measured_here()
    device = world.device if world is not None and world.device is not None else "nothing rendered"
    return EndToEndReport(
        bench="end2end", device=device, drivers=drivers, measured=measured, speed=speed, baseline=loop, problem=run.problem
    )


def _loaded(options: RunOptions) -> Policy:
    device = None if options.render_device is None else find_render_device(options.render_device)
    cuda = device.alias if device is not None and device.cuda is not None else None
    return load_policy(options.policy, with_device(options.policy, options.policy_args, cuda))


def _speed(run: PlayedRun, options: RunOptions, load_seconds: float) -> EndToEnd:
    pace, session = pace_of(run.batches), run.data.header.sessions[-1]
    played = run.episodes
    wall = load_seconds + run.wall_seconds
    description, course = run.data.header.policy, session.course
    assert course is not None, "a session that played has one"
    return EndToEnd(
        policy=options.policy,
        workers=course.workers,
        per_worker=course.per_worker,
        batch=course.batch,
        episodes=played,
        steps=sum(batch.size for batch in run.batches),
        errored=sum(record.status == "errored" for record in run.data.records.values()),
        load_seconds=load_seconds,
        start_seconds=run.batches[0].begin - run.begun,
        wall_seconds=wall,
        episodes_per_hour=3600 * played / wall,
        steps_per_second=pace.steps_per_second,
        steady_steps_per_second=pace.steady.median,
        repeats=pace.steady.repeats,
        mean_batch=pace.mean_batch,
        policy_share=pace.policy_share,
        gpu_memory_gib=run.gpu_memory,
        stages=_stages(run, pace, description.details.get(TIMINGS)),
        description=description,
    )


def _stages(run: PlayedRun, pace: Pace, told: JsonValue) -> Stages:
    batches: list[Batch] = run.batches
    busy = sum(batch.seconds for batch in batches)
    parts = {}
    if isinstance(told, dict):
        parts = {str(name): float(value) for name, value in told.items() if isinstance(value, int | float)}
    whole = batches[-1].end - batches[0].begin
    policy = {**parts, "other": max(0.0, busy - sum(parts.values())), "idle": max(0.0, whole - busy)}
    return Stages(simulators=run.stages, policy=policy, steps=run.worker_steps)
