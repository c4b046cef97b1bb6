"""The loop: observations that are ready make a batch, the policy answers, the workers step.

While the policy answers, the workers go on with what they were given: a worker may hold several episodes, so that it steps
one while the policy looks at another. A policy that can work ahead (``prepare_observation``) does so on what comes meanwhile;
all else is asked of it in the thread of the loop, one call after the other. Nothing waits for an episode that is slow, and what
becomes of an episode depends neither on the others nor on which of them ends first.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Protocol

from eval.backends import protocol
from eval.errors import UserError
from eval.records.header import WorldRecord
from eval.records.turns import Turn
from eval.rollout.batching import Batching, Waiting
from eval.rollout.faults import Fault, world_fault
from eval.rollout.job import Job
from eval.rollout.play import KEPT_IMAGE, SLOTS, Finished, keeping_fault, observe, result_of
from eval.rollout.policy_calls import BatchAnswer, PolicyCalls, PolicyNeeds, preferred_batch
from eval.rollout.pool import Pool, Seat, Shown, Worker, WorkerLost, WorkerSettings
from eval.rollout.preparing import NAME as PREPARING
from eval.rollout.scheduling import EpisodeQueue
from eval.rollout.stopping import StopRule
from policies.base import EpisodeResult

MAX_ATTEMPTS = 2
FILM_SLOTS = 500
"""Images kept of a filmed episode at most (about 0.5 GB an episode under way); of a longer one the last are shown."""
LOST_IN_A_ROW = 8
"""Workers lost without an episode coming to an end between them: it is the machine, not an episode."""
TICK_SECONDS = 0.5
"""Between two looks at what waits to be collected, when nothing happens."""


class Recorder(Protocol):
    """Who keeps what the loop produces."""

    def wants_film(self, turn: Turn) -> bool:
        """Whether the images of this episode may be needed when it ends."""

    def wants_policy_view(self) -> bool:
        """Whether a film shows what the policy noted, too."""

    def world(self, record: WorldRecord) -> None:
        """What a worker says about its world; comes once a worker, and again when it has more to say."""

    def finished(self, episode: Finished) -> None:
        """An episode ended."""

    def noticed(self, fault: Fault, turn: Turn, where: str) -> None:
        """Something failed that took no verdict; ``where`` says what."""

    def tick(self) -> None:
        """Called often, for work that waits to be collected."""


class Rollout:
    """Plays episodes to the end with one policy; every episode ends as one ``Finished``, unless the run stops before."""

    def __init__(
        self,
        turns: Sequence[Turn],
        calls: PolicyCalls,
        settings: WorkerSettings,
        recorder: Recorder,
        stopping: StopRule | None = None,
        batch: int | None = None,
    ) -> None:
        """A rollout that :meth:`play` begins.

        Args:
            turns: what is played.
            calls: the policy.
            settings: of the workers.
            recorder: who keeps what becomes of the episodes.
            stopping: when the run ends early.
            batch: observations that the policy is asked about at a time; None: as many as it prefers, or whatever is ready if
                it has no preference (``preferred_batch``).
        """
        self.calls, self.settings, self.recorder, self.batch = calls, settings, recorder, batch
        self.stopping = stopping or StopRule()
        self.needs = PolicyNeeds.of(calls.policy)
        rendering = settings.backend.identity.rendering
        self.queue = EpisodeQueue(turns, self.needs.image and rendering is not None and rendering.rt != "raster")
        self.left = len(turns)
        self.expects_more = False
        """Whether :meth:`play` goes on when nothing is left, as somebody will :meth:`add` more."""
        self.lost_in_a_row = 0
        self.batching = Batching[Seat]()
        self.pool: Pool | None = None

    def play(self) -> None:
        """Run until every episode ended or the run stops (``stopping.reason``); what is under way then is dropped.

        Raises ``UserError`` if the run cannot go on; Ctrl-C passes through.
        """
        if not (self.left or self.expects_more):
            return
        self.pool = pool = Pool(self.settings)
        try:
            with self.calls.preparing():
                self._play(pool)
        finally:
            pool.close()

    def _play(self, pool: Pool) -> None:
        while (self.left or self.expects_more) and self.stopping.reason is None:
            self._hear(pool, max(0.0, self._patience(pool)))
            self._hand_out(pool)  # before the policy is asked: what begins is built meanwhile
            if len(self.batching) and self.stopping.reason is None and self._patience(pool) <= 0:
                self._ask(pool, self.batching.take(self._batch_size()))
            self._tick()

    def add(self, turns: Sequence[Turn]) -> None:
        """Play these, too; may be called by the recorder while the rollout plays."""
        for turn in turns:
            self.queue.add(turn)
        self.left += len(turns)

    def _batch_size(self) -> int | None:
        """Of a full batch. Asked before every call, for a policy whose memory turned out to be too small for more."""
        sizes = [size for size in (self.batch, preferred_batch(self.calls.policy)) if size is not None]
        return min(sizes, default=None)

    def _patience(self, pool: Pool) -> float:
        """Seconds to wait for further observations before the policy is asked."""
        if not len(self.batching):
            return TICK_SECONDS
        under_way = sum(seat.job is not None for seat in pool.seats)
        return self.batching.seconds_left(self._batch_size(), under_way)

    def _hear(self, pool: Pool, timeout: float) -> None:
        """Take in what the workers have to say."""
        for worker, report in pool.reports(timeout):
            if isinstance(report, WorkerLost):
                self._lost(pool, worker, report)
            elif isinstance(report, protocol.WorldChanged):
                record = WorldRecord.model_validate_json(report.record)
                self.recorder.world(self.settings.backend.completed(record))
            elif isinstance(report, protocol.State):
                self._take_in(worker.seats[report.seat], report)

    def _hand_out(self, pool: Pool) -> None:
        """Fill the seats: first those of workers that have nothing to do, so that a short queue reaches every worker."""
        for seat in pool.seats:
            worker = seat.worker
            while worker.ready and seat.job is None and len(self.queue) and self.stopping.reason is None:
                beside = worker.jobs
                if any(job.attempt > 1 for job in beside):
                    break  # it took a worker with it once: nobody rides along
                if beside and self.queue.left_for(worker.traces) <= sum(map(self._gets_one, pool.workers)):
                    break  # what is left is for workers that are about to be ready
                elsewhere = [job.spec for other in pool.workers if other is not worker for job in other.jobs]
                taken = self.queue.take(seat.last_spec, elsewhere, [job.spec for job in beside], worker.traces)
                if taken is None:
                    break
                turn, attempt = taken
                seat.last_spec = turn.spec
                self._begin(pool, seat, Job(turn, attempt, film=self.recorder.wants_film(turn)))

    def _gets_one(self, worker: Worker) -> bool:
        """Whether it has nothing to do, and something is left for it."""
        return not worker.jobs and self.queue.left_for(worker.traces) > 0

    def _begin(self, pool: Pool, seat: Seat, job: Job) -> None:
        if self.stopping.reason is not None:
            return
        fault = self.calls.reset(job.info)
        if fault is not None:
            self._finish(job.finished(fault))  # an episode that never began has no end
            return
        seat.job = job
        render = job.film or self.needs.image
        slots = min(job.spec.max_steps + 1, FILM_SLOTS) if job.film else SLOTS
        if seat.frames is not None:
            seat.frames.forget_lent()
        payload = self.settings.backend.payload(job.spec)
        pool.send(seat.worker, protocol.Begin(payload, slots, render, self.needs.privileged, seat.number))

    def _take_in(self, seat: Seat, state: protocol.State) -> None:
        """A state: the policy's next observation, or the end of the episode."""
        job = _job_of(seat)
        job.note(state)
        if state.done:
            self.lost_in_a_row = 0
            self._end(seat, None)
            return
        if seat.shown is None:
            self._show(seat, state)
        assert seat.shown is not None
        shown, seat.shown = seat.shown, None
        if shown.kept is not None:
            self.recorder.noticed(shown.kept, job.turn, KEPT_IMAGE)
        self.batching.add(Waiting(shown.observation, seat, job.alone))

    def _show(self, seat: Seat, state: protocol.State) -> None:
        """Let the policy see a state; may be called before that is taken in, in another thread while the policy answers."""
        job = _job_of(seat)
        kept = keeping_fault(seat.frames, state.step) if self.needs.image and not job.film else None
        seat.shown = Shown(observe(job, state, seat.frames, self.needs), kept)
        self.calls.prepare(seat.shown.observation)

    def _ask(self, pool: Pool, batch: Sequence[Waiting[Seat]]) -> None:
        begun = time.monotonic()
        meanwhile = pool.heard_meanwhile(self._show) if self.calls.prepares else contextlib.nullcontext()
        with meanwhile:
            answer = self.calls.act([one.observation for one in batch])
        if not answer.faults:
            self.batching.cost.add(len(batch), time.monotonic() - begun)
        self._answer(pool, answer, {one.observation.episode: one.seat for one in batch})

    def _answer(self, pool: Pool, answer: BatchAnswer, seats: dict[str, Seat]) -> None:
        for episode, fault in answer.unprepared.items():
            self.recorder.noticed(fault, _job_of(seats[episode]).turn, PREPARING)
        for episode, action in answer.actions.items():
            seat = seats[episode]
            pool.send(seat.worker, protocol.Step(action.command, action.terminate, seat.number))
            job = _job_of(seat)
            job.answered(action)
            if job.film and self.recorder.wants_policy_view():
                job.notes.append(action.notes)
                del job.notes[:-FILM_SLOTS]
        several = len(answer.actions) + len(answer.faults) > 1
        noticed = False
        for episode, fault in answer.faults.items():
            seat = seats[episode]
            if fault.own or not several:
                self._end(seat, fault)
                continue
            job = _job_of(seat)  # it begins again, to be asked alone: whose fault it was cannot be known
            if not noticed:
                noticed = True
                self._notice(fault, job, f"act() of {len(answer.actions) + len(answer.faults)} observations")
            self._tell(job, EpisodeResult("errored", len(job.commands), fault.text))
            seat.job = None
            self._begin(pool, seat, Job(job.turn, job.attempt, film=job.film, alone=True))

    def _end(self, seat: Seat, fault: Fault | None, attempt: str = "") -> None:
        """The episode of a seat is over, with a verdict or because of a fault."""
        job, seat.job = _job_of(seat), None
        images = len(job.flags) if job.film and seat.frames is not None else 0
        frames = seat.frames.last(images) if images and seat.frames is not None else None
        unplayed = max(0, len(job.commands) - images + 1)  # by a world that died
        notes = job.notes[: len(job.notes) - unplayed] if images else ()
        self._finish(job.finished(fault, frames, tuple(notes), attempt), job)

    def _lost(self, pool: Pool, worker: Worker, lost: WorkerLost) -> None:
        """A worker is gone. The episode that it was busy with has lost an attempt, and makes the next one in a worker where no
        other is; those beside it begin again as if they had not begun, so that none is lost to the fault of another.
        """
        self.batching.forget(lambda seat: seat.worker is worker)
        blamed = worker.at_work_for
        for seat in worker.seats:
            job, cost = seat.job, int(seat in blamed)
            if job is not None and job.attempt + cost <= MAX_ATTEMPTS:
                seat.job = None
                self._tell(job, EpisodeResult("errored", max(0, len(job.flags) - 1), str(lost)))
                self.queue.put_back(job.turn, job.attempt + cost)
            elif job is not None:
                self._end(seat, world_fault(str(lost), lost.traceback), f" (attempt {job.attempt})")
        self.lost_in_a_row += 1
        if self.lost_in_a_row >= LOST_IN_A_ROW:
            raise UserError(
                f"{self.lost_in_a_row} simulator processes were lost one after the other (the last: {lost}); what is done "
                "is kept. `simpler-eval doctor` looks for the cause; afterwards --resume --retry-errored goes on."
            )
        pool.replace(worker)

    def _finish(self, episode: Finished, job: Job | None = None) -> None:
        """Record the end of an episode, then tell the policy, if the episode ever began for it."""
        self.left -= 1
        self.stopping.ended(episode.record, episode.fault)
        self.calls.interrupts.hold()  # a result that has been seen is kept
        try:
            self.recorder.finished(episode)
        finally:
            self.calls.interrupts.release()
        if job is not None:
            self._tell(job, result_of(episode.record))

    def _tell(self, job: Job, result: EpisodeResult) -> None:
        fault = self.calls.end(job.info, result)
        if fault is not None:
            self._notice(fault, job, "end()")

    def _notice(self, fault: Fault, job: Job, where: str) -> None:
        self.stopping.noticed(fault)
        self.recorder.noticed(fault, job.turn, where)

    def _tick(self) -> None:
        self.calls.interrupts.hold()
        try:
            self.recorder.tick()
        finally:
            self.calls.interrupts.release()


def _job_of(seat: Seat) -> Job:
    if seat.job is None:
        raise RuntimeError("a worker spoke of an episode that it was not given")
    return seat.job
