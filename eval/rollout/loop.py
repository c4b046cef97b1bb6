"""The loop: whatever observations are ready make a batch, the policy answers, the workers step."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.results import EpisodeRecord
from eval.rollout.actions import Answers, ask, one_line
from eval.rollout.pool import Pool, Worker, WorkerLost, WorkerSettings
from eval.rollout.scheduling import EpisodeQueue, look_of
from policies.base import EpisodeInfo, Observation, Policy, Proprio

MAX_ATTEMPTS = 2
FILM_SLOTS = 500
"""Pictures kept of a filmed episode at most (about 0.5 GB a worker); of a longer one the last are shown."""
LOST_IN_A_ROW = 8
"""Workers lost without an episode coming to an end between them: it is the machine, not an episode."""


@dataclass
class Job:
    """An episode on its way."""

    spec: EpisodeSpec
    attempt: int
    film: bool
    """Whether all pictures are kept."""
    alone: bool = False
    """Whether it gets batches of its own, because a batch with it broke."""
    started: float = field(default_factory=time.monotonic)
    flags: list[bool] = field(default_factory=list)
    """Success flag after each control step; the first entry belongs to the reset."""
    instruction: str = ""
    stats: dict[str, Any] = field(default_factory=dict)
    notes: list[Mapping[str, Any]] = field(default_factory=list)
    """The policy's ``Action.notes``, one a step, if its view is filmed; those of the last ``FILM_SLOTS`` steps."""

    def record(self, error: str | None = None) -> EpisodeRecord:
        """What is known of the episode now; with ``error`` it has no verdict."""
        after_actions = self.flags[1:]
        last = bool(after_actions) and after_actions[-1]
        return EpisodeRecord(
            id=self.spec.id,
            task=self.spec.task,
            setting=self.spec.setting,
            variant=self.spec.variant,
            status="errored" if error else "success" if last else "failure",
            success_last=last,
            success_any=any(after_actions),
            first_success_step=after_actions.index(True) + 1 if any(after_actions) else None,
            steps=len(after_actions),
            seconds=round(time.monotonic() - self.started, 3),
            attempts=self.attempt,
            instruction=self.instruction,
            episode_stats=self.stats,
            error=error,
        )


@dataclass(frozen=True)
class Finished:
    """An episode that ended, with its pictures if they were wanted."""

    spec: EpisodeSpec
    record: EpisodeRecord
    frames: NDArray[np.uint8] | None = None
    """(T, H, W, 3), a copy of the last T pictures; the last one belongs to the last step."""
    flags: tuple[bool, ...] = ()
    """Success flag after the reset and after each step."""
    notes: tuple[Mapping[str, Any], ...] = ()
    """What the policy noted at each of the last steps."""


class Recorder(Protocol):
    """Who keeps what the loop produces."""

    def wants_film(self, spec: EpisodeSpec) -> bool:
        """Whether the pictures of this episode may be needed when it ends."""

    def wants_policy_view(self) -> bool:
        """Whether a film shows what the policy noted, too."""

    def world(self, record: dict[str, Any]) -> None:
        """What a worker says about its world; may come once a worker."""

    def finished(self, episode: Finished) -> None:
        """An episode ended."""

    def tick(self) -> None:
        """Called often, for work that waits to be collected."""


class Rollout:
    """Plays episodes to the end with one policy; every episode ends as one ``Finished``."""

    def __init__(self, specs: Sequence[EpisodeSpec], policy: Policy, settings: WorkerSettings, recorder: Recorder):
        self.queue = EpisodeQueue(specs)
        self.policy, self.settings, self.recorder = policy, settings, recorder
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
                for worker, message in self.pool.messages():
                    if isinstance(message, WorkerLost):
                        self._lost(worker, str(message))
                    elif message[0] == "world":
                        self.recorder.world(self.settings.world.complete(json.loads(message[1])))
                    elif message[0] == "state":
                        observation = self._state(worker, message)
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
                elsewhere = [look_of(w.job.spec) for w in self.pool.workers if w.job is not None]
                spec, attempt = self.queue.take(worker.last_scene, elsewhere)
                worker.last_scene = look_of(spec)
                self._begin(worker, Job(spec, attempt, self.recorder.wants_film(spec)))

    def _begin(self, worker: Worker, job: Job) -> None:
        spec = job.spec
        info = EpisodeInfo(
            episode=spec.id,
            task=spec.task,
            robot="google_robot" if spec.robot_family == "google_robot" else "widowx",
            instruction=spec.instruction,
            max_steps=spec.max_steps,
            control_freq=spec.control_freq,
            seed=spec.seed,
        )
        try:
            self.policy.reset([info])
        except Exception as error:  # the policy's fault is its episode's, not the run's
            self._finish(Finished(spec, job.record(one_line(error))))
            return
        worker.job = job
        render = job.film or getattr(self.policy, "needs_image", True)
        slots = min(spec.max_steps + 1, FILM_SLOTS) if job.film else 2
        privileged = getattr(self.policy, "needs_privileged", False)
        self.pool.send(worker, ("episode", self.settings.world.payload(spec), slots, render, privileged))

    def _state(self, worker: Worker, message: tuple[Any, ...]) -> Observation | None:
        _, step, instruction, tcp, opening, qpos, success, done, stats, privileged = message
        job: Job = worker.job
        job.flags.append(success)
        job.instruction, job.stats = instruction, json.loads(stats)
        if done:
            worker.job, self.lost_in_a_row = None, 0
            frames = worker.frames.last(step + 1) if job.film and worker.frames else None
            self._finish(Finished(job.spec, job.record(), frames, tuple(job.flags), tuple(job.notes)))
            return None
        image = None
        if getattr(self.policy, "needs_image", True) and worker.frames is not None:
            image = worker.frames.slot(step)
            image.flags.writeable = False  # the same bytes go into the video
        return Observation(
            episode=job.spec.id,
            step=step,
            robot="google_robot" if job.spec.robot_family == "google_robot" else "widowx",
            instruction=instruction,
            image=image,
            proprio=Proprio(np.array(tcp[:3], np.float32), np.array(tcp[3:], np.float32), opening, np.array(qpos, np.float32)),
            privileged=privileged,
        )

    def _act(self, observations: Sequence[Observation], players: dict[str, Worker]) -> None:
        together = [o for o in observations if not players[o.episode].job.alone]
        batches = [[o] for o in observations if players[o.episode].job.alone]
        for batch in [together, *batches] if together else batches:
            self._answer(ask(self.policy, batch), players)

    def _answer(self, answers: Answers, players: dict[str, Worker]) -> None:
        for episode, (action, terminate) in answers.actions.items():
            self.pool.send(players[episode], ("step", action, terminate))
            job = players[episode].job
            if job.film and self.recorder.wants_policy_view():
                job.notes.append(answers.notes[episode])
                del job.notes[:-FILM_SLOTS]
        for episode, fault in answers.faults.items():
            worker, job = players[episode], players[episode].job
            worker.job = None
            self._finish(Finished(job.spec, job.record(fault)))
        for episode in answers.spoiled:
            worker, job = players[episode], players[episode].job
            worker.job = None
            self._begin(worker, Job(job.spec, job.attempt, job.film, alone=True))

    def _lost(self, worker: Worker, reason: str) -> None:
        job: Job | None = worker.job
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
