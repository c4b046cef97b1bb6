"""``bench sim``: control steps a second without a policy, and how much of the time is SAPIEN's.

The share is measured in a pass of its own with a clock around SAPIEN's entry points; what happens between them, the Python of
the substep loop included, counts as ours, the clock itself as nobody's. The steps a second come from passes without the clock.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eval.backends.render_devices import find_render_device
from eval.diagnostics.bench.report import Rate, Report, Row, measured_here
from eval.plan.suites import make_plan
from eval.rollout.parallel import map_in_processes
from eval.sim.stage_clock import StageClock, put_around_sapien

TASKS = ("google_robot_pick_coke_can", "widowx_carrot_on_plate")
WARM_UP = 3
SHARE_STEPS = 20
MEETING_SECONDS = 120.0


class SimSpeed(Row):
    """One row."""

    task: str
    workers: int
    steps_per_second: float
    """All workers together, with the policy image; median of the repeats."""
    repeats: tuple[float, ...]
    inside_sapien: float
    """Share of a worker's time spent inside SAPIEN calls."""
    ours_ms: float
    """Milliseconds of a control step outside of them."""

    def cells(self) -> dict[str, str]:
        """For a table."""
        return {
            "task": self.task,
            "workers": str(self.workers),
            "steps/s": Rate(median=self.steps_per_second, repeats=self.repeats).shown(),
            "inside SAPIEN": f"{self.inside_sapien:.1%}",
            "ms outside": f"{self.ours_ms:.2f}",
        }


class SimReport(Report):
    """What ``bench sim`` measured."""

    rows: tuple[SimSpeed, ...]

    @property
    def table(self) -> Sequence[Row]:
        """One row a task and number of workers."""
        return self.rows


class _Job(NamedTuple):
    task: str
    steps: int
    repeats: int
    assets: str | None
    device: str | None
    meeting: str
    workers: int


class _WorkerSpeed(NamedTuple):
    steps_per_second: list[float]
    inside_sapien: float
    ours_ms: float
    device: str


def measure(
    workers: int | None = None,
    steps: int = 60,
    assets: str | None = None,
    render_device: str | None = None,
    tasks: Sequence[str] = TASKS,
    repeats: int = 3,
    alone: bool = False,
) -> SimReport:
    """Speed for 1, 2, 4, ... workers.

    Args:
        workers: the most; default: one a core.
        steps: control steps a worker and repeat.
        assets: as for ``run``.
        render_device: as for ``run``.
        tasks: what is simulated, the first episode of each.
        repeats: how often ``steps`` are played.
        alone: that number of workers alone.

    Raises:
        UserError: there is no such device, task or folder.
    """
    device = None if render_device is None else find_render_device(render_device).handle
    most = workers or len(os.sched_getaffinity(0))
    counts = [most] if alone else sorted({*(2**i for i in range(most.bit_length()) if 2**i <= most), most})
    rows, names = [], []
    make_plan(tasks=list(tasks), limit=1)
    for task in tasks:
        for count in counts:
            with tempfile.TemporaryDirectory(prefix="simpler-eval-bench-") as meeting:
                job = _Job(task, steps, repeats, assets, device, meeting, count)
                measured = map_in_processes(_worker, [job] * count, count)
            names += [one.device for one in measured]
            together = np.sum([one.steps_per_second for one in measured], axis=0).tolist()
            share, ours = (float(np.mean([value(one) for one in measured])) for value in (_share_of, _ours_of))
            rows.append(
                SimSpeed(
                    task=task,
                    workers=count,
                    steps_per_second=Rate.of(together).median,
                    repeats=tuple(together),
                    inside_sapien=share,
                    ours_ms=ours,
                )
            )
    measured_with, drivers = measured_here()
    return SimReport(bench="sim", device=names[0], drivers=drivers, measured=measured_with, rows=tuple(rows))


def _share_of(one: _WorkerSpeed) -> float:
    return one.inside_sapien


def _ours_of(one: _WorkerSpeed) -> float:
    return one.ours_ms


def _worker(job: _Job) -> _WorkerSpeed:
    """In a process of its own; all begin every repeat together."""
    from eval.assets.resolver import Assets
    from eval.sim.world import World

    threads = max(1, len(os.sched_getaffinity(0)) // job.workers)
    os.environ.setdefault("LP_NUM_THREADS", str(threads))  # as in a run
    clock = StageClock()
    world = World(Assets.from_option(job.assets), device=job.device)
    world.reset(options={"spec": make_plan(tasks=[job.task], limit=1)[0]})
    rng = np.random.default_rng(0)

    def play(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            motion = np.concatenate([rng.uniform(-0.02, 0.02, 3), rng.uniform(-0.05, 0.05, 3), [0.0]])
            world.step(motion)
        return time.perf_counter() - start

    play(WARM_UP)
    speeds = []
    for repeat in range(job.repeats):
        _meet(Path(job.meeting), repeat, job.workers)
        speeds.append(job.steps / play(job.steps))
    put_around_sapien(clock)
    world.reset(options={"spec": make_plan(tasks=[job.task], limit=1)[0]})  # its calls are bound now
    play(WARM_UP)
    _meet(Path(job.meeting), job.repeats, job.workers)
    clock.seconds.clear()
    clock.calls = 0
    total = play(share_steps := min(SHARE_STEPS, job.repeats * job.steps))
    total -= clock.calls * clock.cost()
    inside = clock.seconds["sapien"]
    return _WorkerSpeed(speeds, min(inside / total, 1.0), 1e3 * (total - inside) / share_steps, world.device_summary)


def _meet(folder: Path, number: int, workers: int) -> None:
    """Wait until all workers are here."""
    (folder / f"{number}-{os.getpid()}").touch()
    deadline = time.monotonic() + MEETING_SECONDS
    while len(list(folder.glob(f"{number}-*"))) < workers and time.monotonic() < deadline:
        time.sleep(0.002)
