"""``bench rt``: control steps a second of ray-traced episodes, with a policy that answers at once."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

from eval.diagnostics.bench.instant import InstantPolicy
from eval.diagnostics.bench.played import PlayedRun, play_timed
from eval.diagnostics.bench.report import Rate, Report, Row, measured_here
from eval.diagnostics.bench.timed_policy import pace_of
from eval.plan.options import PlanOptions
from eval.records.options import RunOptions


class Scene(NamedTuple):
    """What is rendered."""

    task: str
    setting: str
    variant: str


SCENES = {
    "visual-matching": Scene("google_robot_open_drawer", "visual_matching", "top/*"),
    "closed-room": Scene("google_robot_open_drawer", "variant_aggregation", "*/base"),
}
"""A photo in front of which robot and cabinet are traced, and a room whose light bounces about."""
DRAWING = ("draw", "read-back", "turn")


class RtSpeed(Row):
    """One row."""

    scene: str
    workers: int
    episodes: int
    rt: str
    """How it was rendered, as recorded."""
    samples: int | None
    denoiser: str | None
    steps_per_second: float
    """While all workers are at work; median of several parts of the run."""
    repeats: tuple[float, ...]
    draw_ms: float
    """Of a step of one worker: drawing, reading back, and waiting for the turn to draw."""
    errored: int

    def cells(self) -> dict[str, str]:
        """For a table."""
        how = self.rt if self.samples is None else f"{self.rt}, {self.samples} samples, {self.denoiser}"
        return {
            "scene": self.scene,
            "rendered": how,
            "workers": str(self.workers),
            "episodes": str(self.episodes),
            "steps/s": Rate(median=self.steps_per_second, repeats=self.repeats).shown(),
            "ms to an image": f"{self.draw_ms:.0f}",
            "errored": str(self.errored),
        }


class RtReport(Report):
    """What ``bench rt`` measured."""

    rows: tuple[RtSpeed, ...]

    @property
    def table(self) -> Sequence[Row]:
        """One row a scene."""
        return self.rows


def measure_rt(options: RunOptions, steps: int = 40, episodes: int | None = None, scenes: Sequence[str] = ()) -> RtReport:
    """Play ray-traced episodes.

    Args:
        options: workers, ``rt``, device and files; the policy is one that answers at once.
        steps: control steps an episode.
        episodes: of each scene; default: one a worker.
        scenes: of ``SCENES``; default: all.

    Raises:
        UserError: as of ``eval.run``.
    """
    workers = options.workers or len(os.sched_getaffinity(0))
    count = episodes or workers
    played = {name: _play(SCENES[name], options, workers, steps, count) for name in scenes or SCENES}
    worlds = [run.data.header.world for run in played.values()]
    measured, drivers = measured_here()
    return RtReport(
        bench="rt",
        device=next((world.device for world in worlds if world is not None and world.device is not None), "nothing rendered"),
        drivers=drivers,
        measured=measured,
        rows=tuple(_row(name, workers, run) for name, run in played.items()),
    )


def _play(scene: Scene, options: RunOptions, workers: int, steps: int, count: int) -> PlayedRun:
    choice = PlanOptions(tasks=(scene.task,), setting=scene.setting, variants=(scene.variant,), max_steps=steps)
    repeat = math.ceil(count / len(choice.chosen()))
    plan = choice.model_copy(update={"limit": math.ceil(count / repeat)}).plan()
    given = options.model_copy(update={"policy": "instant", "workers": workers, "repeat": repeat, "no_actions": True})
    return play_timed(plan, given, InstantPolicy())


def _row(scene: str, workers: int, run: PlayedRun) -> RtSpeed:
    steady = pace_of(run.batches).steady
    rendering = run.data.header.identity.world.rendering
    drawing = sum(run.stages.get(stage, 0.0) for stage in DRAWING)
    return RtSpeed(
        scene=scene,
        workers=workers,
        episodes=len(run.data.records),
        rt="raster" if rendering is None else rendering.rt,
        samples=None if rendering is None else rendering.samples,
        denoiser=None if rendering is None else rendering.denoiser,
        steps_per_second=steady.median,
        repeats=steady.repeats,
        draw_ms=1e3 * drawing / max(1, run.worker_steps),
        errored=sum(record.status == "errored" for record in run.data.records.values()),
    )
