"""A queue of checkpoints over the GPUs: one run each, over the same plan, in folders beside each other."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from eval.checkpoints import playing
from eval.checkpoints.earlier import EarlierRuns, missing_of, options_of, plain
from eval.checkpoints.finding import Checkpoint, Watched, content_of, what_is_missing
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.nouns import counted, noun
from eval.records.folder import RUN_FILE, RunData, disk_errors
from eval.records.locking import alone_in
from eval.records.options import RunOptions
from eval.records.refusals import disk_refusal, remedy
from eval.rollout.processes import Process, start_own
from eval.rollout.replicas.placement import Placement, placements

PROGRESS_SECONDS = 30.0
STOP_SECONDS = 60.0
"""That a run may take to keep what it has, once it is told to stop."""

Say = Callable[[str], None]
"""Called with a line for the user."""


@dataclass(frozen=True)
class Evaluated:
    """What became of one checkpoint."""

    checkpoint: Checkpoint
    run: RunData | None
    """None: there is nothing of it."""
    problem: str | None = None
    """Why it has no result, or not a whole one."""


@dataclass
class Evaluation:
    """Plays checkpoints, as many at a time as there are places; what was played before is not played again.

    Args:
        plan: the episodes, the same for all.
        options: how they are played; ``policy_args`` without ``checkpoint``.
        out: folder of the runs.
        say: told how it goes.
    """

    plan: Sequence[EpisodeSpec]
    options: RunOptions
    out: Path
    say: Say

    def __post_init__(self) -> None:
        if (self.out / RUN_FILE).exists():
            raise UserError(f"--out {self.out} is the folder of a run; checkpoints need a folder of their own.")
        self._before = EarlierRuns(self.plan, self.options, self.out)
        found = placements(self.options, by_name=True, episodes=1024)
        self._idle = list(found or [Placement("", None)])
        self.unseen: str | None = None
        """Why the folder that is watched cannot be read; None: it can."""
        self._given: list[Checkpoint] = []
        self._ended: list[Evaluated] = []
        self._waiting: list[Checkpoint] = []
        self._running: dict[Connection, _Running] = {}
        self._alone = contextlib.ExitStack()
        with disk_errors(self.out):
            self.out.mkdir(parents=True, exist_ok=True)
            self._alone.enter_context(alone_in(self.out))

    @property
    def evaluated(self) -> list[Evaluated]:
        """What became of those that ended, in the order in which they were given."""
        places = {checkpoint: place for place, checkpoint in enumerate(self._given)}
        return sorted(self._ended, key=lambda ended: places.get(ended.checkpoint, len(places)))

    @property
    def busy(self) -> bool:
        """Whether something is played or waits for a place."""
        return bool(self._waiting or self._running)

    def add(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Queue these."""
        self._given += checkpoints
        for checkpoint in checkpoints:
            folder = checkpoint.folder
            missing = what_is_missing(folder) if folder is not None else None
            if missing is not None:
                self._end(Evaluated(checkpoint, self._before.of(checkpoint), f"it is not complete: {missing}"))
            elif (changed := self._before.changed(checkpoint)) is not None:
                self._end(Evaluated(checkpoint, None, changed))
            elif (run := self._before.whole(checkpoint)) is not None:
                self.say(f"{checkpoint.name}: played before")
                self._ended.append(Evaluated(checkpoint, run))
            else:
                self._waiting.append(checkpoint)

    def work(self, seconds: float) -> None:
        """Start what has a place, and hear what is said within so many seconds."""
        end = time.monotonic() + seconds
        while True:
            while self._waiting and self._idle:
                self._start(self._waiting.pop(0), self._idle.pop(0))
            left = end - time.monotonic()
            if not self._running or left <= 0:
                break
            self._hear(min(left, 1.0))
        if (left := end - time.monotonic()) > 0 and not self.busy:
            time.sleep(left)

    def play(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Play these to the end."""
        self.add(checkpoints)
        while self.busy:
            while self._waiting and self._idle:
                self._start(self._waiting.pop(0), self._idle.pop(0))
            self._hear(1.0)

    def watch(self, watched: Watched, poll: float, patience: float) -> None:
        """Play what a training writes, until no checkpoint came for ``patience`` seconds and all are played.

        A folder that cannot be read for a while, as when a network drops, costs a line and no run.

        Args:
            watched: where they are written.
            poll: seconds between two looks.
            patience: in seconds, from the last that came or was played.
        """
        last, looks = time.monotonic(), 0
        while True:
            self.add(self._look(watched))
            looks += 1
            if self.busy:
                last = time.monotonic()
            elif (
                looks > 1 and time.monotonic() - last >= patience
            ):  # what lies there shows with the second look that it is still
                break
            self.work(poll)
        for checkpoint in watched.rewritten():
            self.say(
                f"simpler-eval: {checkpoint.name} was written anew since it was played; what it is now is not in the table."
            )
        if self.unseen is not None:
            self.say(f"simpler-eval: {self.unseen} What came into it since then is not played.")
        for checkpoint in watched.left():
            missing = "its folder is gone" if checkpoint.folder is None else what_is_missing(checkpoint.folder)
            self._end(
                Evaluated(checkpoint, self._before.of(checkpoint), f"it is not complete: {missing or 'its files still change'}")
            )
        if not self._ended:
            self.say(f"simpler-eval: no checkpoint came into {watched.folder}.")

    def _look(self, watched: Watched) -> list[Checkpoint]:
        """What is complete now; nothing while the folder cannot be read, which is said once."""
        try:
            found = watched.look()
        except UserError as error:
            if self.unseen is None:
                self.say(f"simpler-eval: {error} It is looked for again until the patience ends.")
            self.unseen = str(error)
            return []
        self.unseen = None
        return found

    def stop(self) -> None:
        """Let the runs that are under way keep what they have."""
        for running in self._running.values():
            running.process.interrupt()
        end = time.monotonic() + STOP_SECONDS
        while self._running and time.monotonic() < end:
            self._hear(0.5)

    def close(self) -> None:
        """End whatever still runs, and let others into the folder."""
        for connection, running in self._running.items():
            running.process.kill()
            running.process.join()
            connection.close()
        self._running.clear()
        self._alone.close()

    # ---- one checkpoint ------------------------------------------------------------------------------------------------

    def _start(self, checkpoint: Checkpoint, place: Placement) -> None:
        content = None if checkpoint.folder is None else plain(content_of(checkpoint.folder))
        out = self.out.absolute() / checkpoint.name
        work = playing.Work(tuple(self.plan), options_of(self.options, checkpoint), out, place.environment)
        process, connection = start_own(playing.play_checkpoint, work, os.getpid())
        self._running[connection] = _Running(checkpoint, place, process, content)
        where = f" on {place.card}" if place.card is not None else ""
        self.say(f"{checkpoint.name}: begins{where}")

    def _hear(self, timeout: float) -> None:
        ready = set(wait(list(self._running), timeout))
        for connection, running in list(self._running.items()):
            try:
                while connection in ready and connection.poll():
                    message: playing.Message = connection.recv()
                    if isinstance(message, playing.Said):
                        self.say(f"{running.checkpoint.name}: {message.line}")
                    elif isinstance(message, playing.Course):
                        running.course = message
                    else:
                        running.over = message
            except (EOFError, ConnectionError):
                self._take_in(connection, running)
            running.tell(self.say)

    def _take_in(self, connection: Connection, running: _Running) -> None:
        del self._running[connection]
        connection.close()
        running.process.join()
        self._idle.append(running.place)
        problem = (
            running.over.problem if running.over is not None else f"its process ended with code {running.process.exitcode}"
        )
        run = self._before.of(running.checkpoint) if problem is None or running.course is not None else None
        if run is not None:  # it went on, so it is of these weights
            self._before.remember(running.checkpoint, running.content)
        if problem is None and run is not None and (missing := missing_of(run)):
            problem = f"{missing} of its episodes {noun(missing, 'has', 'have')} no result"
        self._end(Evaluated(running.checkpoint, run, problem))
        if problem is not None and self._waiting and (refusal := disk_refusal(OSError(), self.out)) is not None:
            waiting, self._waiting = self._waiting, []  # each would be loaded for minutes, and then find the same
            for checkpoint in waiting:
                why = f"not begun, as the disk of {self.out} takes no more ({refusal}): {remedy(refusal)}"
                self._end(Evaluated(checkpoint, self._before.of(checkpoint), why))

    def _end(self, evaluated: Evaluated) -> None:
        self._ended.append(evaluated)
        name, run = evaluated.checkpoint.name, evaluated.run
        if evaluated.problem is not None:
            self.say(f"simpler-eval: {name}: {evaluated.problem}")
        if run is not None:
            good = sum(record.status == "success" for record in run.records.values())
            judged = sum(record.status != "errored" for record in run.records.values())
            if not judged and evaluated.problem is not None:
                return
            self.say(f"{name}: success in {good} of {counted(judged, 'episode')}")


@dataclass
class _Running:
    checkpoint: Checkpoint
    place: Placement
    process: Process
    content: list[list[object]] | None
    """Of the checkpoint's folder when it began."""
    course: playing.Course | None = None
    over: playing.Over | None = None
    told: float = field(default_factory=time.monotonic)

    def tell(self, say: Say) -> None:
        """Now and then how far it is."""
        if self.course is not None and time.monotonic() - self.told > PROGRESS_SECONDS:
            self.told = time.monotonic()
            say(f"{self.checkpoint.name}: {self.course.done} of {counted(self.course.of, 'episode')}")
