"""A checkpoint of a training that goes on, played over a few held-out placements by a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from eval.errors import UserError
from eval.records.folder import load_run
from eval.training.options import TrainOptions

FOLDER = "evaluations"


def evaluate(options: TrainOptions, checkpoint: Path, folder: Path) -> dict[str, float]:
    """Play a checkpoint.

    Args:
        options: of the training; its tasks, episodes and device.
        checkpoint: complete.
        folder: of the training; the run goes to ``evaluations/<checkpoint>``, what it prints beside it.

    Returns:
        Success rate of every task, and over all.

    Raises:
        UserError: it could not be played to the end.
    """
    out = folder / FOLDER / checkpoint.name
    log = out.with_name(f"{out.name}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    tasks = [part for task in options.eval_tasks for part in ("--task", task)]
    command = [
        sys.executable, "-m", "simpler_eval", "run", "--policy", options.policy, "--checkpoint", str(checkpoint), *tasks,
        "--placements", "heldout", "--limit", str(options.eval_episodes), "--device", options.device, "--video", "none",
        "--out", str(out),
    ]  # fmt: skip
    with log.open("wb") as file:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        lines = log.read_text(errors="replace").strip().splitlines()
        raise UserError(
            f"{checkpoint.name} could not be evaluated (see {log}): {lines[-1][:200] if lines else 'nothing was said'}"
        )
    rates = load_run(out).success_rates()
    known = {task: rate for task, rate in rates.items() if rate is not None}
    mean = sum(known.values()) / len(known) if known else 0.0
    return {"success_rate": mean, **({f"success_rate/{task}": rate for task, rate in known.items()} if len(known) > 1 else {})}
