"""Where a simulator process's time goes: clocks around calls, put there only where somebody asked.

A run whose environment names a folder in ``SIMPLER_EVAL_STAGES`` leaves one JSON file a process there (``bench end2end`` does
so, and any run may): stage -> seconds, each second in one stage, and the number of control steps.
"""

from __future__ import annotations

import functools
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "SIMPLER_EVAL_STAGES"
WRITE_SECONDS = 5.0
"""A process that is killed loses so much."""


class StageClock:
    """Seconds by stage; of calls within calls, the inner ones' time counts for their own stage alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls = 0
        self._within = 0.0
        self._muted = False
        self._replaced: list[tuple[Any, str, Any]] = []

    def put_around(self, owner: Any, name: str, stage: str, whole: bool = False) -> None:  # noqa: ANN401  a class, also of C++
        """Time the method ``name`` of a class, for all its objects, also those that there are already.

        ``whole``: what is called within it is of the same stage.
        """
        original = getattr(owner, name)
        self._replaced.append((owner, name, original))
        setattr(owner, name, self._timed(original, stage, whole))

    def _timed(self, call: Callable[..., object], stage: str, whole: bool = False) -> Callable[..., object]:
        seconds, now = self.seconds, time.perf_counter

        @functools.wraps(call)
        def timed(*args: object, **kwargs: object) -> object:
            if self._muted:
                return call(*args, **kwargs)
            outer, self._within = self._within, 0.0
            self._muted = whole
            begin = now()
            try:
                return call(*args, **kwargs)
            finally:
                self._muted = False
                taken = now() - begin
                seconds[stage] += taken - self._within
                self._within = outer + taken
                self.calls += 1

        return timed

    def cost(self, calls: int = 20_000) -> float:
        """Seconds that the clock itself adds to a call."""
        probe = StageClock()

        def nothing() -> None: ...

        timed = probe._timed(nothing, "")
        taken = []
        for call in (nothing, timed):
            begin = time.perf_counter()
            for _ in range(calls):
                call()
            taken.append(time.perf_counter() - begin)
        return max(0.0, taken[1] - taken[0]) / calls

    def take_away(self) -> None:
        """Leave the classes as they were."""
        while self._replaced:
            owner, name, original = self._replaced.pop()
            setattr(owner, name, original)


def put_around_sapien(clock: StageClock) -> None:
    """Time SAPIEN's calls of a control step, as the stage ``sapien``. Robots bind theirs: build them afterwards."""
    import sapien
    from sapien import physx, render

    entry_points = (
        (physx.PhysxCpuSystem, ("step", "get_contacts")),
        (physx.PhysxArticulation, ("compute_passive_force", "set_qf")),
        (physx.PhysxArticulationJoint, ("set_drive_target", "set_drive_velocity_target")),
        (sapien.Scene, ("update_render", "get_contacts")),
        (render.RenderCameraComponent, ("take_picture", "get_picture")),
    )
    for owner, names in entry_points:
        for name in names:
            clock.put_around(owner, name, "sapien")


@contextmanager
def stages_written_to(folder: Path) -> Iterator[None]:
    """Let the processes of runs that are started within write where their time goes."""
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[FOLDER_VARIABLE]
        else:
            os.environ[FOLDER_VARIABLE] = before


class StageFile:
    """What a process leaves in the folder."""

    def __init__(self, clock: StageClock, folder: Path) -> None:
        self.clock, self.steps = clock, 0
        self._path = folder / f"{os.uname().nodename}-{os.getpid()}.json"
        self._begun = self._written = time.perf_counter()

    def write(self, at_once: bool = False) -> None:
        """Bring the file up to date; unless ``at_once``, now and then."""
        now = time.perf_counter()
        if not at_once and now - self._written < WRITE_SECONDS:
            return
        self._written = now
        stages = {**self.clock.seconds, "wait": now - self._begun - sum(self.clock.seconds.values())}
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"steps": self.steps, "seconds": stages}))
            part.replace(self._path)
        except OSError:
            pass  # a measurement ends no episode
