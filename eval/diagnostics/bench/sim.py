"""``bench sim``: control steps a second, and how much of the time is SAPIEN's.

The share is measured in a pass of its own by wrapping SAPIEN's entry points with a clock; what happens between them, the
Python of the substep loop included, counts as ours. The steps a second come from a pass without the clock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.backends.render_devices import find_render_device
from eval.plan.suites import make_plan
from eval.rollout.parallel import map_in_processes

if TYPE_CHECKING:
    from eval.sim.world import World

TASKS = ("google_robot_pick_coke_can", "widowx_carrot_on_plate")
WARM_UP = 3
SHARE_STEPS = 20


@dataclass(frozen=True)
class SimSpeed:
    """One row."""

    task: str
    workers: int
    steps_per_second: float
    """All workers together, with the policy image."""
    inside_sapien: float
    """Share of a worker's time spent inside SAPIEN calls."""


def measure(
    workers: int | None = None, steps: int = 60, assets: str | None = None, render_device: str | None = None
) -> list[SimSpeed]:
    """Speed for 1, 2, 4, ... workers; ``steps``: control steps a worker; ``assets``, ``render_device``: as for ``run``."""
    device = None if render_device is None else find_render_device(render_device).handle
    most = workers or os.cpu_count() or 1
    counts = sorted({*(2**i for i in range(most.bit_length()) if 2**i <= most), most})
    rows = []
    for task in TASKS:
        for count in counts:
            measured = map_in_processes(_worker, [(task, steps, assets, device)] * count, count)
            speed = sum(one[0] for one in measured)
            rows.append(SimSpeed(task, count, speed, float(np.mean([one[1] for one in measured]))))
    return rows


def _worker(job: tuple[str, int, str | None, str | None]) -> tuple[float, float]:
    """(steps a second, share inside SAPIEN) of one process."""
    from eval.assets.resolver import Assets
    from eval.sim.world import World

    task, steps, option, device = job
    world = World(Assets.from_option(option), device=device)
    world.reset(options={"spec": make_plan(tasks=[task], limit=1)[0]})
    rng = np.random.default_rng(0)

    def play(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            motion = np.concatenate([rng.uniform(-0.02, 0.02, 3), rng.uniform(-0.05, 0.05, 3), [0.0]])
            world.step(motion)
        return time.perf_counter() - start

    play(WARM_UP)
    speed = steps / play(steps)
    clock = _Clock()
    clock.wrap(world)
    total = play(SHARE_STEPS)
    return speed, clock.seconds / total


class _Clock:
    """Time spent inside wrapped calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, call: Callable[..., object]) -> Callable[..., object]:
        """The same call, its time added up."""

        def run(*args: object, **kwargs: object) -> object:
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        return run

    def wrap(self, world: World) -> None:
        """Replace the SAPIEN objects the step loop uses by timed ones."""
        scene, camera = world.scene, world.scene.camera
        assert camera is not None
        scene.system = _Timed(scene.system, self)
        scene.robot.articulation = _Timed(scene.robot.articulation, self)
        camera.scene = _Timed(camera.scene, self)
        camera.component = _Timed(camera.component, self)


class _Timed:
    """A SAPIEN object whose method calls are timed."""

    def __init__(self, target: Any, clock: _Clock) -> None:  # noqa: ANN401  stands for any SAPIEN object
        self._target, self._clock = target, clock

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  stands for any SAPIEN object
        value = getattr(self._target, name)
        if callable(value):
            value = self._clock.timed(value)
            self.__dict__[name] = value
        return value
