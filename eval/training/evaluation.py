"""A checkpoint of a training that goes on, played over a few held-out placements by a process of its own."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from eval.errors import UserError
from eval.nouns import counted, noun
from eval.plan.suites import make_plan
from eval.records.errors import error_counts, error_lines
from eval.records.folder import RUN_FILE, RunData, load_run
from eval.training.demonstrations import KEYS, LeRobotDemonstrations
from eval.training.options import TrainOptions

FOLDER = "evaluations"
PROGRAM = "eval.training.playing"
LOOK, GRACE = 0.5, 3.0
"""Seconds between two looks whether the training is to stop, and in which an evaluation may end by itself then."""
SHOWN = 300
"""Characters of what a process said last."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found."""

    rates: Mapping[str, float]
    """``success_rate`` over all tasks, if all were played to the end, and of several tasks ``success_rate/TASK`` of those."""
    problem: str | None = None
    """Why there is not all, and where more is said, in a line."""


def ranges_of(options: TrainOptions, datasets: Sequence[LeRobotDemonstrations]) -> str | None:
    """Which of a training's ranges its evaluations scale actions with: ``robot=KEY`` where it is not the robot's usual one.

    Raises UserError for a task that the policy could never play: no dataset is of its robot, or several could be meant.
    """
    if options.eval_every is None:
        return None
    chosen = {}
    for spec in make_plan(tasks=options.eval_tasks, placements="heldout", limit=1):
        keys = sorted({each.key for each in datasets if each.robot == spec.robot_family})
        usual = next(key for robot, key in KEYS.items() if robot == spec.robot_family)
        if not keys:
            raise UserError(
                f"--eval-task {spec.task} is of {spec.robot_family}, which no --dataset is of; the policy would have no ranges "
                "for its actions."
            )
        if usual not in keys and len(keys) > 1:
            raise UserError(
                f"--eval-task {spec.task}: the datasets of {spec.robot_family} have the keys {', '.join(keys)}, and an "
                f"evaluation needs one; give the one that is meant the key {usual}, or all of them the same."
            )
        if usual not in keys:
            chosen[spec.robot_family] = keys[0]
    return ",".join(f"{robot}={key}" for robot, key in chosen.items()) or None


def evaluate(
    options: TrainOptions,
    checkpoint: Path,
    folder: Path,
    unnorm_key: str | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Evaluation:
    """Play a checkpoint. Never raises, but for Ctrl-C.

    Args:
        options: of the training; its tasks, episodes and device.
        checkpoint: complete.
        folder: of the training; the run goes to ``evaluations/<checkpoint>``, the command and what it prints beside it.
        unnorm_key: as :func:`ranges_of` has it.
        stopping: whether to end before all is played.
    """
    out = folder / FOLDER / checkpoint.name
    log = out.with_name(f"{out.name}.log")
    tasks = [part for task in options.eval_tasks for part in ("--task", task)]
    words = [
        "run", "--policy", options.policy, "--checkpoint", str(checkpoint), *tasks, "--placements", "heldout",
        "--limit", str(options.eval_episodes), "--device", options.device, "--video", "none", "--out", str(out),
        "--retry-errored", *(() if unnorm_key is None else ("--unnorm-key", unnorm_key)),
    ]  # fmt: skip
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            file.write(f"$ {shlex.join(['simpler-eval', *words])}\n".encode())
            file.flush()
            command = [sys.executable, "-m", PROGRAM, str(os.getpid()), *words]
            code = _played(command, file, stopping)
        data = load_run(out) if code == 0 or (out / RUN_FILE).is_file() else None
        if code == 0 and data is not None:
            return Evaluation(_rates(data))
        return Evaluation({} if data is None else _rates(data), f"{_why(data, code, log)}; all it said: {log}")
    except OSError as error:
        return Evaluation({}, f"{error.filename or log}: {error.strerror or error}")
    except UserError as error:
        return Evaluation({}, f"{error} All it said: {log}")


def _played(command: Sequence[str], log: IO[bytes], stopping: Callable[[], bool]) -> int:
    """The exit code of a command, which is asked to end as soon as the training is to."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    asked = False
    try:
        while True:
            try:
                return process.wait(LOOK)
            except subprocess.TimeoutExpired:
                late = stopping() and not asked
            if late:
                with contextlib.suppress(subprocess.TimeoutExpired):  # what a terminal sends has reached both
                    return process.wait(GRACE)
                process.terminate()
                asked = True
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _rates(data: RunData) -> dict[str, float]:
    """Of what was played to the end: a mean over fewer tasks or episodes than at other steps would look like a step's doing."""
    rates = data.success_rates()
    known = {task: rate for task, rate in rates.items() if rate is not None}
    single = {f"success_rate/{task}": rate for task, rate in known.items()} if len(rates) > 1 else {}
    return ({"success_rate": sum(known.values()) / len(known)} if known and len(known) == len(rates) else {}) | single


def _why(data: RunData | None, code: int, log: Path) -> str:
    """What went wrong, as the run's records or the last words of its process have it."""
    if data is not None and (errors := error_counts(data.records.values())):
        lost = sum(error.count for error in errors)
        what = f"{lost} of {counted(len(data.records), 'episode')} {noun(lost, 'has', 'have')} no verdict"
        return f"{what} ({'; '.join(error_lines(errors))[:SHOWN]})"
    if code < 0:
        name = signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
        return f"its process was killed ({name}){'; was there too little memory?' if name == 'SIGKILL' else ''}"
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()[1:] if line.strip()]
    ours = [line.removeprefix("simpler-eval: ") for line in lines if line.startswith("simpler-eval: ")]
    last = (ours or lines or [f"exit code {code}, and nothing was said"])[-1]
    return last[:SHOWN].rstrip(".")
