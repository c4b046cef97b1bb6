"""Demonstrations made up on the spot, and a monitor that keeps what it is told."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from policies.training import DemonstratedStep, Job, Settings


def camera_image(number: int) -> np.ndarray:
    """A coloured patch on grey whose place is the number's."""
    image = np.full((60, 80, 3), 128, np.uint8)
    image[5 + 2 * number : 25 + 2 * number, 10 + 3 * number : 40 + 3 * number] = np.random.default_rng(number).integers(
        0, 255, 3
    )
    return image


@dataclass
class MadeUp:
    """Episodes of different images and actions; every second step has a trace."""

    lengths: tuple[int, ...] = (8, 8)
    fingerprint: str = "made-up"
    key: str = "bridge_orig"
    robot: str = "widowx"
    name: str = "made up"
    rotation: str = "euler"
    gripper: str = "opening"

    def steps(self, episode: int) -> Iterator[DemonstratedStep]:
        for step in range(self.lengths[episode]):
            number = sum(self.lengths[:episode]) + step
            chance = np.random.default_rng([self.lengths[0], number])
            small = np.full((256, 256, 3), 10 * number, np.uint8) if number % 2 else None
            action = np.append(chance.uniform(-0.02, 0.02, 6), float(number % 3 > 0))
            yield DemonstratedStep(camera_image(number), small, "Put the carrot on the plate", action)


class Deadly(MadeUp):
    """Kills the process that reads its tenth episode, but for the one that all others help."""

    def steps(self, episode: int) -> Iterator[DemonstratedStep]:
        if episode == 9 and multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().steps(episode)


@dataclass
class Opened(MadeUp):
    """Leaves a file in a folder each time that it is opened, as a dataset is when the first episode is read from it: the number
    of threads that Python did not start."""

    folder: str = ""
    opened: bool = False

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "opened": False}

    def steps(self, episode: int) -> Iterator[DemonstratedStep]:
        if not self.opened:
            self.opened = True
            idle = len(os.listdir("/proc/self/task")) - threading.active_count()
            Path(self.folder, f"opened-{uuid.uuid4()}").write_text(str(idle))
        return super().steps(episode)


class Killed(BaseException):
    """As if the process had been killed."""


@dataclass
class Listening:
    """Keeps what it is told; dies when a step is told of, if one is given."""

    dies_at: int | None = None
    stops_at: int | None = None
    lines: list[str] = field(default_factory=list)
    logged: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    evaluated: list[str] = field(default_factory=list)

    def begun(self, step: int) -> None:
        self.logged = [entry for entry in self.logged if entry[0] <= step]

    def say(self, line: str) -> None:
        self.lines.append(line)

    def log(self, step: int, steps: int, metrics: dict[str, float]) -> None:
        if step == self.dies_at:
            raise Killed
        self.logged.append((step, dict(metrics)))

    def lacks_evaluation(self, step: int) -> bool:
        return not any(at == step and "success_rate" in metrics for at, metrics in self.logged)

    def evaluate(self, step: int, checkpoint: Path) -> dict[str, float]:
        self.evaluated.append(checkpoint.name)
        return {"success_rate": 0.5}

    def stopping(self) -> bool:
        return self.stops_at is not None and bool(self.logged) and self.logged[-1][0] >= self.stops_at

    def losses(self) -> list[tuple[int, float]]:
        return [(step, metrics["loss"]) for step, metrics in self.logged if "loss" in metrics]


def job(out: Path, demonstrations: object = None, resume: bool = False, **settings: object) -> Job:
    """A tiny training from scratch on the CPU, unless told otherwise."""
    values = {"init": "tiny", "batch_size": 2, "max_steps": 2, "held_out": 0.0, "log_steps": 1, "device": "cpu", **settings}
    return Job(Settings(**values), [demonstrations or MadeUp()], out, out / "frames", {"test_placements": False}, resume)
