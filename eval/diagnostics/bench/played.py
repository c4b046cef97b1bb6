"""One run with clocks: around every call of the policy, and in every simulator process."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from eval.diagnostics.bench.timed_policy import Batch, TimedPolicy
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.folder import RunData, load_run
from eval.records.options import RunOptions
from eval.records.results import EpisodeRecord
from eval.rollout.run import Session, play
from eval.sim.stage_clock import stages_written_to
from policies.base import Policy

MEMORY_SECONDS = 1.0


class PlayedRun(NamedTuple):
    """What came of it."""

    data: RunData
    wall_seconds: float
    """Of the run: workers started, scenes built, everything closed and the tables written. The policy was made before."""
    begun: float
    """s, of ``time.perf_counter``."""
    batches: list[Batch]
    stages: dict[str, float]
    """Seconds of all simulator processes together; empty where the world is not ours."""
    worker_steps: int
    """Control steps that these are of."""
    gpu_memory: float | None
    """GiB in use on the fullest card at most, everything counted; None: no NVIDIA card."""
    episodes: int
    """Ended in this call."""
    problem: str | None
    """Why the run ended before its plan, or is not whole on disk."""


def play_timed(plan: Sequence[EpisodeSpec], options: RunOptions, policy: Policy, out: Path | None = None) -> PlayedRun:
    """Play a plan with a policy that is loaded. Ctrl-C ends the run, and what was measured until then is returned; so it is
    where the disk of ``out`` takes no more.

    ``out``: the folder of the run, or of one that goes on; None: nothing is kept. Raises UserError as ``eval.run`` does.
    """
    ended: list[EpisodeRecord] = []
    problem: str | None = None
    timed = TimedPolicy(policy)
    with tempfile.TemporaryDirectory(prefix="simpler-eval-bench-") as temporary, GpuMemory() as memory:
        folder, stages = out or Path(temporary, "run"), Path(temporary, "stages")
        begin = time.perf_counter()
        try:
            with stages_written_to(stages), contextlib.suppress(KeyboardInterrupt):
                play(plan, options, timed, Session(folder, listener=ended.append))
        except UserError as error:
            if out is None or not ended or len(timed.batches) < 2:
                raise
            problem = str(error)
        wall = time.perf_counter() - begin
        data = load_run(folder)
        seconds, steps = read_stages(stages)
    return PlayedRun(data, wall, begin, timed.batches, seconds, steps, memory.most, len(ended), problem)


def read_stages(folder: Path) -> tuple[dict[str, float], int]:
    """Seconds by stage and control steps of all processes that wrote into ``folder``."""
    seconds: dict[str, float] = {}
    steps = 0
    for file in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        content = json.loads(file.read_text())
        steps += content["steps"]
        for stage, value in content["seconds"].items():
            seconds[stage] = seconds.get(stage, 0.0) + value
    return seconds, steps


class GpuMemory:
    """Looks now and then how full the fullest NVIDIA card is, as its driver counts: every process and the display."""

    def __init__(self) -> None:
        self.most: float | None = None
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if shutil.which("nvidia-smi"):
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join(10.0)

    def _watch(self) -> None:
        for used in self._looks():
            self.most = max(used, self.most or 0.0)

    def _looks(self) -> Iterator[float]:
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while True:
            with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
                done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
                yield max(float(line) for line in done.stdout.split()) / 1024
            if self._end.wait(MEMORY_SECONDS):
                return
