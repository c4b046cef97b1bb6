"""A run with a bar on stderr that can be stopped and says how to go on."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, TracebackType

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from eval.episode import EpisodeSpec
from eval.plan.shards import take_shard
from eval.records.folder import RunData, load_run
from eval.records.options import RunOptions
from eval.records.results import EpisodeRecord
from eval.rollout.run import Session, play


def play_with_progress(plan: Sequence[EpisodeSpec], options: RunOptions, path: Path, shard: str | None = None) -> RunData:
    """:func:`eval.rollout.run.play` with a bar on stderr; Ctrl-C and ``kill`` say how to go on.

    Args:
        plan: the whole plan, whatever the shard.
        options: how it is played.
        path: folder of the run.
        shard: the part of the plan to be played.
    """
    stop_like_ctrl_c()
    folder = path.absolute()  # a policy may change the working folder
    episodes = len(take_shard(plan, shard) if shard else plan)
    try:
        with RunProgress(Console(stderr=True), options.policy, episodes) as progress:
            session = Session(path, shard, progress.begin, progress.episode)
            with contextlib.redirect_stdout(sys.stderr):  # what a policy prints is no part of a table or of --json
                return play(plan, options, session=session)
    except KeyboardInterrupt:
        done = len(load_run(folder).records) if (folder / "run.json").is_file() else 0
        command = shlex.join(["simpler-eval", "run", "--resume", str(path)])
        typer.echo(f"Stopped; {done} of {episodes} episodes are done. Continue with: {command}", err=True)
        raise typer.Exit(130) from None


def stop_like_ctrl_c() -> None:
    """Let `kill` and batch systems stop a run like Ctrl-C; processes that a policy forks from this one end as always."""
    main = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() == main:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    signal.signal(signal.SIGTERM, stop)


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
