"""The loop: whatever observations are ready make a batch, the policy answers, the workers step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eval.backends import protocol
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.header import WorldRecord
from eval.rollout.actions import BatchResult, one_line, query
from eval.rollout.job import Job
from eval.rollout.play import SLOTS, Finished, PolicyNeeds, episode_info, observe
from eval.rollout.pool import Pool, Worker, WorkerLost, WorkerSettings
from eval.rollout.scheduling import EpisodeQueue
from policies.base import Observation, Policy

MAX_ATTEMPTS = 2
FILM_SLOTS = 500
"""Images kept of a filmed episode at most (about 0.5 GB a worker); of a longer one the last are shown."""
LOST_IN_A_ROW = 8
"""Workers lost without an episode coming to an end between them: it is the machine, not an episode."""


class Recorder(Protocol):
    """Who keeps what the loop produces."""

    def wants_film(self, spec: EpisodeSpec) -> bool:
        """Whether the images of this episode may be needed when it ends."""

    def wants_policy_view(self) -> bool:
        """Whether a film shows what the policy noted, too."""

    def world(self, record: WorldRecord) -> None:
        """What a worker says about its world; comes once a worker, and again when it has more to say."""

    def finished(self, episode: Finished) -> None:
        """An episode ended."""

    def tick(self) -> None:
        """Called often, for work that waits to be collected."""


class Rollout:
    """Plays episodes to the end with one policy; every episode ends as one ``Finished``."""

    def __init__(self, specs: Sequence[EpisodeSpec], policy: Policy, settings: WorkerSettings, recorder: Recorder):
        self.queue = EpisodeQueue(specs)
        self.policy, self.settings, self.recorder = policy, settings, recorder
        self.needs = PolicyNeeds.of(policy)
        self.left = len(specs)
        self.lost_in_a_row = 0

    def play(self) -> None:
        """Run until every episode ended. Raises ``UserError`` if the run cannot go on; Ctrl-C passes through."""
        if not self.left:
            return
        self.pool = Pool(self.settings)
        try:
            while self.left:
                observations: list[Observation] = []
                players: dict[str, Worker] = {}
                for worker, report in self.pool.reports():
                    if isinstance(report, WorkerLost):
                        self._lost(worker, str(report))
                    elif isinstance(report, protocol.WorldChanged):
                        record = WorldRecord.model_validate_json(report.record)
                        self.recorder.world(self.settings.backend.completed(record))
                    elif isinstance(report, protocol.State):
                        observation = self._take_in(worker, report)
                        if observation is not None:
                            observations.append(observation)
                            players[observation.episode] = worker
                if observations:
                    self._act(observations, players)
                self._hand_out()
                self.recorder.tick()
        finally:
            self.pool.close()

    def _hand_out(self) -> None:
        for worker in self.pool.workers:
            while worker.ready and worker.job is None and len(self.queue):
                elsewhere = [other.job.spec for other in self.pool.workers if other.job is not None]
                spec, attempt = self.queue.take(worker.last_spec, elsewhere)
                worker.last_spec = spec
                self._begin(worker, Job(spec, attempt, film=self.recorder.wants_film(spec)))

    def _begin(self, worker: Worker, job: Job) -> None:
        spec = job.spec
        try:
            self.policy.reset([episode_info(spec)])
        except (Exception, SystemExit) as error:  # the policy's fault is its episode's, not the run's
            self._finish(Finished(spec, job.record(one_line(error))))
            return
        worker.job = job
        render = job.film or self.needs.image
        slots = min(spec.max_steps + 1, FILM_SLOTS) if job.film else SLOTS
        payload = self.settings.backend.payload(spec)
        self.pool.send(worker, protocol.Begin(payload, slots, render, self.needs.privileged))

    def _take_in(self, worker: Worker, state: protocol.State) -> Observation | None:
        """What the policy is shown of a state; None if the episode is over."""
        job = _job_of(worker)
        job.note(state)
        if state.done:
            worker.job, self.lost_in_a_row = None, 0
            frames = worker.frames.last(state.step + 1) if job.film and worker.frames else None
            self._finish(Finished(job.spec, job.record(), frames, tuple(job.flags), tuple(job.notes)))
            return None
        return observe(job.spec, state, worker.frames, self.needs)

    def _act(self, observations: Sequence[Observation], players: dict[str, Worker]) -> None:
        together = [o for o in observations if not _job_of(players[o.episode]).alone]
        batches = [[o] for o in observations if _job_of(players[o.episode]).alone]
        for batch in [together, *batches] if together else batches:
            self._answer(query(self.policy, batch), players)

    def _answer(self, result: BatchResult, players: dict[str, Worker]) -> None:
        for episode, action in result.actions.items():
            self.pool.send(players[episode], protocol.Step(action.command, action.terminate))
            job = _job_of(players[episode])
            if job.film and self.recorder.wants_policy_view():
                job.notes.append(action.notes)
                del job.notes[:-FILM_SLOTS]
        for episode, fault in result.faults.items():
            worker, job = players[episode], _job_of(players[episode])
            worker.job = None
            self._finish(Finished(job.spec, job.record(fault)))
        for episode in result.spoiled:
            worker, job = players[episode], _job_of(players[episode])
            worker.job = None
            self._begin(worker, Job(job.spec, job.attempt, film=job.film, alone=True))

    def _lost(self, worker: Worker, reason: str) -> None:
        job = worker.job
        if job is not None and job.attempt < MAX_ATTEMPTS:
            self.queue.put_back(job.spec, job.attempt + 1)
        elif job is not None:
            self._finish(Finished(job.spec, job.record(f"{reason} (attempt {job.attempt})")))
        self.lost_in_a_row += 1
        if self.lost_in_a_row >= LOST_IN_A_ROW:
            raise UserError(
                f"{self.lost_in_a_row} simulator processes were lost one after the other (the last: {reason}); what is done "
                "is kept. `simpler-eval doctor` looks for the cause; afterwards --resume --retry-errored goes on."
            )
        self.pool.replace(worker)

    def _finish(self, episode: Finished) -> None:
        self.left -= 1
        self.recorder.finished(episode)


def _job_of(worker: Worker) -> Job:
    if worker.job is None:
        raise RuntimeError("a worker spoke of an episode that it was not given")
    return worker.job
