"""The loop: whatever observations are ready make a batch, the policy answers, the workers step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eval.backends import protocol
from eval.errors import UserError
from eval.records.header import WorldRecord
from eval.records.turns import Turn
from eval.rollout.faults import Fault, world_fault
from eval.rollout.job import Job
from eval.rollout.play import KEPT_IMAGE, SLOTS, Finished, keeping_fault, observe, result_of
from eval.rollout.policy_calls import BatchAnswer, PolicyCalls, PolicyNeeds
from eval.rollout.pool import Pool, Worker, WorkerLost, WorkerSettings
from eval.rollout.scheduling import EpisodeQueue
from eval.rollout.stopping import StopRule
from policies.base import EpisodeResult, Observation

MAX_ATTEMPTS = 2
FILM_SLOTS = 500
"""Images kept of a filmed episode at most (about 0.5 GB a worker); of a longer one the last are shown."""
LOST_IN_A_ROW = 8
"""Workers lost without an episode coming to an end between them: it is the machine, not an episode."""


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
    ) -> None:
        self.queue = EpisodeQueue(turns)
        self.calls, self.settings, self.recorder = calls, settings, recorder
        self.stopping = stopping or StopRule()
        self.needs = PolicyNeeds.of(calls.policy)
        self.left = len(turns)
        self.lost_in_a_row = 0
        self.pool: Pool | None = None

    def play(self) -> None:
        """Run until every episode ended or the run stops (``stopping.reason``); what is under way then is dropped.

        Raises ``UserError`` if the run cannot go on; Ctrl-C passes through.
        """
        if not self.left:
            return
        self.pool = pool = Pool(self.settings)
        try:
            while self.left and self.stopping.reason is None:
                observations: list[Observation] = []
                players: dict[str, Worker] = {}
                for worker, report in pool.reports():
                    if isinstance(report, WorkerLost):
                        self._lost(pool, worker, report)
                    elif isinstance(report, protocol.WorldChanged):
                        record = WorldRecord.model_validate_json(report.record)
                        self.recorder.world(self.settings.backend.completed(record))
                    elif isinstance(report, protocol.State):
                        observation = self._take_in(worker, report)
                        if observation is not None:
                            observations.append(observation)
                            players[observation.episode] = worker
                if observations:
                    self._act(pool, observations, players)
                self._hand_out(pool)
                self._tick()
        finally:
            pool.close()

    def _hand_out(self, pool: Pool) -> None:
        for worker in pool.workers:
            while worker.ready and worker.job is None and len(self.queue) and self.stopping.reason is None:
                elsewhere = [other.job.spec for other in pool.workers if other.job is not None]
                turn, attempt = self.queue.take(worker.last_spec, elsewhere)
                worker.last_spec = turn.spec
                self._begin(pool, worker, Job(turn, attempt, film=self.recorder.wants_film(turn)))

    def _begin(self, pool: Pool, worker: Worker, job: Job) -> None:
        if self.stopping.reason is not None:
            return
        fault = self.calls.reset(job.info)
        if fault is not None:
            self._finish(job.finished(fault))  # an episode that never began has no end
            return
        worker.job = job
        render = job.film or self.needs.image
        slots = min(job.spec.max_steps + 1, FILM_SLOTS) if job.film else SLOTS
        if worker.frames is not None:
            worker.frames.forget_lent()
        payload = self.settings.backend.payload(job.spec)
        pool.send(worker, protocol.Begin(payload, slots, render, self.needs.privileged))

    def _take_in(self, worker: Worker, state: protocol.State) -> Observation | None:
        """What the policy is shown of a state; None if the episode is over."""
        job = _job_of(worker)
        job.note(state)
        if state.done:
            self.lost_in_a_row = 0
            self._end(worker, None)
            return None
        if self.needs.image and not job.film and (fault := keeping_fault(worker.frames, state.step)):
            self.recorder.noticed(fault, job.turn, KEPT_IMAGE)
        return observe(job, state, worker.frames, self.needs)

    def _act(self, pool: Pool, observations: Sequence[Observation], players: dict[str, Worker]) -> None:
        together = [o for o in observations if not _job_of(players[o.episode]).alone]
        batches = [[o] for o in observations if _job_of(players[o.episode]).alone]
        for batch in [together, *batches] if together else batches:
            if self.stopping.reason is None:
                self._answer(pool, self.calls.act(batch), players)

    def _answer(self, pool: Pool, answer: BatchAnswer, players: dict[str, Worker]) -> None:
        for episode, action in answer.actions.items():
            pool.send(players[episode], protocol.Step(action.command, action.terminate))
            job = _job_of(players[episode])
            job.answered(action)
            if job.film and self.recorder.wants_policy_view():
                job.notes.append(action.notes)
                del job.notes[:-FILM_SLOTS]
        several = len(answer.actions) + len(answer.faults) > 1
        for number, (episode, fault) in enumerate(answer.faults.items()):
            if not several:
                self._end(players[episode], fault)
                continue
            job = _job_of(players[episode])  # it begins again, to be asked alone: whose fault it was cannot be known
            if not number:
                self._notice(fault, job, f"act() of {len(answer.actions) + len(answer.faults)} observations")
            self._tell(job, EpisodeResult("errored", len(job.commands), fault.text))
            players[episode].job = None
            self._begin(pool, players[episode], Job(job.turn, job.attempt, film=job.film, alone=True))

    def _end(self, worker: Worker, fault: Fault | None, attempt: str = "") -> None:
        """The episode of a worker is over, with a verdict or because of a fault."""
        job, worker.job = _job_of(worker), None
        images = len(job.flags) if job.film and worker.frames is not None else 0
        frames = worker.frames.last(images) if images and worker.frames is not None else None
        unplayed = max(0, len(job.commands) - images + 1)  # by a world that died
        notes = job.notes[: len(job.notes) - unplayed] if images else ()
        self._finish(job.finished(fault, frames, tuple(notes), attempt), job)

    def _lost(self, pool: Pool, worker: Worker, lost: WorkerLost) -> None:
        job = worker.job
        if job is not None and job.attempt < MAX_ATTEMPTS:
            worker.job = None
            self._tell(job, EpisodeResult("errored", max(0, len(job.flags) - 1), str(lost)))
            self.queue.put_back(job.turn, job.attempt + 1)
        elif job is not None:
            self._end(worker, world_fault(str(lost), lost.traceback), f" (attempt {job.attempt})")
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


def _job_of(worker: Worker) -> Job:
    if worker.job is None:
        raise RuntimeError("a worker spoke of an episode that it was not given")
    return worker.job
