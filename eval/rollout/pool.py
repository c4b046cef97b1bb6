"""The parent's side of the simulator processes: start, talk, notice death and hanging, replace."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from eval.backends import protocol
from eval.backends.base import Backend
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.rollout.frames import Frames
from eval.rollout.job import Job
from eval.rollout.processes import Process, start

STARTUP_SECONDS = 120.0
START_ATTEMPTS = 3


@dataclass(frozen=True)
class WorkerSettings:
    """What every worker is started with."""

    backend: Backend
    workers: int
    watchdog: float
    """Seconds a worker may take for one message before it counts as hanging."""
    per_worker: int = 1
    """Episodes that a worker holds at once: while the policy looks at one, it steps another."""


@dataclass(eq=False)
class Seat:
    """A place for an episode in a worker: a world of its own, with frames of its own."""

    worker: Worker
    number: int
    frames: Frames | None = None
    last_spec: EpisodeSpec | None = None
    """The episode it was last given."""
    job: Job | None = None
    """What is played in it."""


@dataclass(eq=False)
class Worker:
    """One process, its pipe and its seats."""

    process: Process
    connection: Connection
    deadline: float
    ready: bool = False
    seats: list[Seat] = field(default_factory=list)
    unanswered: deque[Seat | None] = field(default_factory=lambda: deque([None]))
    """Seats of the messages that it has not answered yet, in their order; None: its start, or what concerns no seat."""

    @property
    def busy(self) -> bool:
        """Whether something is expected of it."""
        return bool(self.unanswered)

    @property
    def jobs(self) -> list[Job]:
        """What it plays."""
        return [seat.job for seat in self.seats if seat.job is not None]

    @property
    def at_work_for(self) -> list[Seat]:
        """Seats with an episode that its loss may be due to: the one that it was busy with; all of them if it was idle."""
        if self.unanswered and (seat := self.unanswered[0]) is not None:
            return [seat]
        return [seat for seat in self.seats if seat.job is not None]


class WorkerLost(Exception):
    """A worker died, hung or raised; the text says which."""

    def __init__(self, text: str, traceback: str = "") -> None:
        super().__init__(text)
        self.traceback = traceback
        """Of what it raised."""


Report = protocol.State | protocol.WorldChanged | protocol.Ready | WorkerLost
"""What the loop hears of a worker."""


class Pool:
    """``settings.workers`` processes; a lost one is replaced at once."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self._failed_starts = 0
        self.workers = [self._start() for _ in range(settings.workers)]

    def _start(self) -> Worker:
        threads = max(1, len(os.sched_getaffinity(0)) // self.settings.workers)
        process, connection = start(self.settings.backend.worker, threads)
        worker = Worker(process, connection, time.monotonic() + STARTUP_SECONDS)
        worker.seats = [Seat(worker, number) for number in range(self.settings.per_worker)]
        return worker

    @property
    def seats(self) -> list[Seat]:
        """Of all workers: the first of each, then the second of each, and so on."""
        return [worker.seats[number] for number in range(self.settings.per_worker) for worker in self.workers]

    def send(self, worker: Worker, message: protocol.ToWorker) -> None:
        """Give a worker something to do. A dead one is found by the next :meth:`reports`."""
        if not worker.busy:
            worker.deadline = time.monotonic() + self.settings.watchdog
        worker.unanswered.append(None if isinstance(message, protocol.Stop) else worker.seats[message.seat])
        try:
            protocol.send(worker.connection, message)
        except (BrokenPipeError, ConnectionResetError):
            worker.deadline = 0.0

    def reports(self, timeout: float = 0.5) -> Iterator[tuple[Worker, Report]]:
        """Everything the workers have said by now; a ``WorkerLost`` in place of a message if one is gone.

        For the first word it waits ``timeout`` seconds at most.

        Raises ``UserError`` if a worker refuses the run or workers cannot be started at all.
        """
        handles = [worker.connection for worker in self.workers]
        ready = set(wait(handles, timeout))
        for worker in list(self.workers):
            try:
                while worker.connection in ready and worker.connection.poll():
                    report = self._receive(worker)
                    if report is not None:
                        yield worker, report
                if worker.busy and time.monotonic() > worker.deadline:
                    raise WorkerLost(self._last_words(worker))
            except (EOFError, ConnectionResetError, WorkerLost) as reason:
                lost = reason if isinstance(reason, WorkerLost) else WorkerLost(self._last_words(worker))
                self._note_failed_start(worker, lost)
                yield worker, lost

    def _receive(self, worker: Worker) -> Report | None:
        message = protocol.receive(worker.connection)
        if isinstance(message, protocol.WorldChanged):
            return message
        if isinstance(message, protocol.ImagesShared):
            worker.seats[message.seat].frames = Frames(protocol.receive_images(worker.connection, message), message)
            return None
        if isinstance(message, protocol.Refused):
            raise UserError(message.reason)
        if isinstance(message, protocol.EpisodeFailed):
            raise WorkerLost(message.error, message.traceback)
        if isinstance(message, protocol.Ready):
            worker.ready, self._failed_starts = True, 0
        elif not isinstance(message, protocol.State):
            raise WorkerLost(f"the worker sent a {type(message).__name__}, which only the parent does")
        worker.unanswered.popleft()
        worker.deadline = time.monotonic() + self.settings.watchdog  # for the next one, if it was given several
        return message

    def _note_failed_start(self, worker: Worker, lost: WorkerLost) -> None:
        if worker.ready:
            return
        self._failed_starts += 1
        if self._failed_starts >= START_ATTEMPTS:
            raise UserError(f"Simulator processes cannot start: {lost}. `simpler-eval doctor` looks for the cause.")

    def _last_words(self, worker: Worker) -> str:
        worker.process.join(0.2)
        code = worker.process.exitcode
        if code is None:
            return f"the worker was silent for {self.settings.watchdog:g} s"
        fate = f"the worker was killed by signal {-code}" if code < 0 else f"the worker exited with code {code}"
        line = worker.process.last_line()
        return f"{fate}: {line}" if line else fate

    def replace(self, worker: Worker) -> None:
        """Kill what is left of a worker and start a fresh one in its place."""
        _kill(worker)
        self.workers[self.workers.index(worker)] = self._start()

    def kill(self) -> None:
        """End all of them at once."""
        for worker in self.workers:
            worker.process.kill()

    def close(self) -> None:
        """Ask idle workers to stop, kill the others."""
        for worker in self.workers:
            if not worker.busy:
                self.send(worker, protocol.Stop())
        for worker in self.workers:
            worker.process.join(2.0 if worker.ready and not worker.jobs else 0.0)
            _kill(worker)


def _kill(worker: Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.connection.close()
