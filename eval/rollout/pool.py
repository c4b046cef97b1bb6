"""The parent's side of the simulator processes: start, talk, notice death and hanging, replace."""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from typing import NamedTuple

from eval.backends import protocol
from eval.backends.base import Backend
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.rollout.faults import Fault
from eval.rollout.frames import Frames
from eval.rollout.job import Job
from eval.rollout.processes import Process, start
from policies.base import Observation

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
    tracing: int | None = None
    """Workers that play what is ray traced; None: all of them do."""


class Shown(NamedTuple):
    """What the policy is shown of a state."""

    observation: Observation
    kept: Fault | None
    """Of a policy that still holds the image which this one has replaced."""


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
    shown: Shown | None = None
    """Of its next state, if the policy has been shown it before that was taken in."""


@dataclass(eq=False)
class Worker:
    """One process, its pipe and its seats."""

    process: Process
    connection: Connection
    deadline: float
    traces: bool | None = None
    """Whether it plays what is ray traced; None: whatever there is."""
    ready: bool = False
    seats: list[Seat] = field(default_factory=list)
    unanswered: deque[Seat | None] = field(default_factory=lambda: deque([None]))
    """Seats of the messages that it has not answered yet, in their order; None: its start, or what concerns no seat."""
    heard: deque[protocol.Message | Exception] = field(default_factory=deque)
    """What it said, or how that ended, and nobody has taken in."""

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
        self.workers = [self._start(traces) for traces in _who_traces(settings)]

    def _start(self, traces: bool | None) -> Worker:
        threads = max(1, len(os.sched_getaffinity(0)) // self.settings.workers)
        process, connection = start(self.settings.backend.worker, threads)
        worker = Worker(process, connection, time.monotonic() + STARTUP_SECONDS, traces)
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

        For the first word it waits ``timeout`` seconds at most, unless something was :meth:`heard_meanwhile`.

        Raises ``UserError`` if a worker refuses the run or workers cannot be started at all.
        """
        handles = [worker.connection for worker in self.workers]
        ready = set(wait(handles, 0.0 if any(worker.heard for worker in self.workers) else timeout))
        for worker in list(self.workers):
            try:
                while worker.heard or (worker.connection in ready and worker.connection.poll()):
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
        message = worker.heard.popleft() if worker.heard else self._read(worker)
        if isinstance(message, Exception):
            raise message
        if message is None or isinstance(message, protocol.WorldChanged):
            return message
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

    def _read(self, worker: Worker) -> protocol.Message | None:
        """The next message in the pipe; None if it was one between the pipe's two ends."""
        message = protocol.receive(worker.connection)
        if isinstance(message, protocol.ImagesShared):
            worker.seats[message.seat].frames = Frames(protocol.receive_images(worker.connection, message), message)
            return None
        return message

    @contextlib.contextmanager
    def heard_meanwhile(self, show: Callable[[Seat, protocol.State], None]) -> Iterator[None]:
        """While this lasts, and nobody else turns to the pool, a thread reads what the workers say, for :meth:`reports`.

        ``show`` is called in that thread with every state that an observation is made of.
        """
        until, end = Pipe(duplex=False)
        thread = threading.Thread(target=self._hear, args=(until, show), name="hears the workers", daemon=True)
        try:
            thread.start()
            yield
        finally:
            end.send_bytes(b"enough")  # closing it would not do: a process that the policy forked has it, too
            if thread.ident is not None:
                thread.join()
            until.close()
            end.close()

    def _hear(self, until: Connection, show: Callable[[Seat, protocol.State], None]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(until, selectors.EVENT_READ)
            for worker in self.workers:
                selector.register(worker.connection, selectors.EVENT_READ, worker)
            while True:
                ready = [key for key, _ in selector.select()]
                if any(key.fileobj is until for key in ready):
                    return
                for key in ready:
                    if not self._heard(key.data, show):
                        selector.unregister(key.fileobj)

    def _heard(self, worker: Worker, show: Callable[[Seat, protocol.State], None]) -> bool:
        """Read one message; False if it was the last."""
        try:
            message = self._read(worker)
            if message is not None:
                worker.heard.append(message)
            if isinstance(message, protocol.State) and not message.done:
                show(worker.seats[message.seat], message)
        except Exception as error:
            worker.heard.append(error)  # raised where the worker is dealt with
            return False
        return True

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
        self.workers[self.workers.index(worker)] = self._start(worker.traces)

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


def _who_traces(settings: WorkerSettings) -> list[bool | None]:
    if settings.tracing is None:
        return [None] * settings.workers
    return [number < settings.tracing for number in range(settings.workers)]


def _kill(worker: Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.connection.close()
