"""A queue of checkpoints over the GPUs: one run each, over the same plan, in folders beside each other."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from eval.checkpoints import playing
from eval.checkpoints.finding import Checkpoint, Content, Watched, content_of, what_is_missing
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.nouns import counted, noun
from eval.records.differences import another_plan
from eval.records.folder import RUN_FILE, RunData, disk_errors, load_run, plan_hash, write_atomically
from eval.records.options import RunOptions
from eval.records.refusals import disk_refusal, remedy
from eval.records.turns import turns_of
from eval.rollout.header import identity_of
from eval.rollout.processes import Process, start_own
from eval.rollout.replicas.placement import Placement, placements
from eval.rollout.run import find_backend_of
from policies.registry import code_of

SEEN_FILE = ".checkpoints.json"
"""In the folder of all: what the files of each checkpoint were when it was played."""
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
        self._refuse_another_plan()
        self._world = find_backend_of(self.options, self.plan).identity
        found = placements(self.options, by_name=True, episodes=1024)
        self._idle = list(found or [Placement("", None)])
        self.unseen: str | None = None
        """Why the folder that is watched cannot be read; None: it can."""
        self._given: list[Checkpoint] = []
        self._ended: list[Evaluated] = []
        self._waiting: list[Checkpoint] = []
        self._running: dict[Connection, _Running] = {}
        with disk_errors(self.out):
            self.out.mkdir(parents=True, exist_ok=True)

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
                self._end(Evaluated(checkpoint, self._known(checkpoint), f"it is not complete: {missing}"))
            elif (changed := self._changed(checkpoint)) is not None:
                self._end(Evaluated(checkpoint, None, changed))
            elif (run := self._whole(checkpoint)) is not None:
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
                Evaluated(checkpoint, self._known(checkpoint), f"it is not complete: {missing or 'its files still change'}")
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
        """End whatever still runs."""
        for connection, running in self._running.items():
            running.process.kill()
            running.process.join()
            connection.close()
        self._running.clear()

    # ---- one checkpoint ------------------------------------------------------------------------------------------------

    def _options(self, checkpoint: Checkpoint) -> RunOptions:
        args = {**self.options.policy_args, "checkpoint": checkpoint.text}
        return self.options.model_copy(update={"policy_args": args, "gpus": None, "replicas": None})

    def _start(self, checkpoint: Checkpoint, place: Placement) -> None:
        content = None if checkpoint.folder is None else _plain(content_of(checkpoint.folder))
        out = self.out.absolute() / checkpoint.name
        work = playing.Work(tuple(self.plan), self._options(checkpoint), out, place.environment)
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
        run = self._known(running.checkpoint) if problem is None or running.course is not None else None
        if run is not None:  # it went on, so it is of these weights
            self._remember(running)
        if problem is None and run is not None and (missing := _missing(run)):
            problem = f"{missing} of its episodes {noun(missing, 'has', 'have')} no result"
        self._end(Evaluated(running.checkpoint, run, problem))
        if problem is not None and self._waiting and (refusal := disk_refusal(OSError(), self.out)) is not None:
            waiting, self._waiting = self._waiting, []  # each would be loaded for minutes, and then find the same
            for checkpoint in waiting:
                why = f"not begun, as the disk of {self.out} takes no more ({refusal}): {remedy(refusal)}"
                self._end(Evaluated(checkpoint, self._known(checkpoint), why))

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

    def _refuse_another_plan(self) -> None:
        """Raises UserError where runs of other episodes lie: they would stand in the same table and plot."""
        for file in sorted(self.out.glob(f"*/{RUN_FILE}")):
            try:
                run = load_run(file.parent)
            except UserError:  # whoever plays it says what is wrong with it
                continue
            if run.header.plan_hash != plan_hash(self.plan):
                raise UserError(
                    f"{another_plan(file.parent, len(run.plan), len(self.plan))}; repeat the options it was made with, or "
                    "choose another --out."
                )

    # ---- what was played before ----------------------------------------------------------------------------------------

    def _known(self, checkpoint: Checkpoint) -> RunData | None:
        """Its run, if it has begun."""
        folder = self.out / checkpoint.name
        try:
            return load_run(folder) if (folder / RUN_FILE).exists() else None
        except UserError:  # whoever plays it says what is wrong with it; the others' results are shown
            return None

    def _whole(self, checkpoint: Checkpoint) -> RunData | None:
        """Its run, if that is complete, of these very files and played as it would be now; else it is played on."""
        run = self._known(checkpoint)
        if run is None or run.header.plan_hash != plan_hash(self.plan) or run.header.repeats < self.options.repeat:
            return None
        wanted = self._options(checkpoint)
        kept = run.header.options
        if (kept.policy, kept.policy_args, kept.world) != (wanted.policy, wanted.policy_args, wanted.world) or _missing(run):
            return None
        if not self._played_as_now(run):
            return None
        if any(record.unwritten is not None for record in run.records.values()):
            return None
        if self.options.retry_errored and any(record.status == "errored" for record in run.records.values()):
            return None
        folder = checkpoint.folder
        if folder is not None and self._seen().get(checkpoint.name) != _plain(content_of(folder)):
            return None
        return run

    def _played_as_now(self, run: RunData) -> bool:
        """Whether world, files and the policy's code are what they were; else it is played on, which says what is not."""
        before = run.header.identity
        if (before.policy.code or "").split("+")[-1] != (code_of(self.options.policy) or ""):
            return False
        looks = before.world.rendering is not None
        return before == identity_of(self.plan, self.options, self._world, before.policy, looks)

    def _changed(self, checkpoint: Checkpoint) -> str | None:
        """Why its run cannot be gone on with, where other files lie there now and the policy does not tell weights apart."""
        run, before = self._known(checkpoint), self._seen().get(checkpoint.name)
        folder = checkpoint.folder
        if run is None or before is None or folder is None or run.header.identity.policy.weights is not None:
            return None
        if before == _plain(content_of(folder)) or run.header.options.policy_args.get("checkpoint") != checkpoint.text:
            return None
        return (
            f"its files have changed since {self.out / checkpoint.name} was played, and the policy does not say which weights "
            "it has (`weights` of its describe()); choose another --out"
        )

    def _seen(self) -> dict[str, object]:
        file = self.out / SEEN_FILE
        try:
            known = json.loads(file.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _remember(self, running: _Running) -> None:
        with contextlib.suppress(OSError):  # the next time it is played on, which finds out whether it is the same
            seen = {**self._seen(), running.checkpoint.name: running.content}
            write_atomically(self.out / SEEN_FILE, json.dumps(seen, indent=1))


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


def _plain(content: Content) -> list[list[object]]:
    return [list(entry) for entry in content]


def _missing(run: RunData) -> int:
    """Episodes without a record."""
    return sum(turn.key not in run.records for turn in turns_of(run.plan, run.header.repeats))
