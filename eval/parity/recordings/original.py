"""``parity original``: an installed original simulator, behind our runner, against recordings of the original.

Plays recorded actions in it and compares initial states, every later state, instructions, verdicts, statistics and images.
Environments are reused from one sequence to the next, as in a run, while every recording began in a fresh one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.backends.base import Backend, ForeignWorker
from eval.backends.simpler_env.interpreter import WORKER, find_original
from eval.episode import EpisodeSpec
from eval.parity.recordings.expected import Expected, raster_keys, recorded_frames, recorded_sequences
from eval.parity.recordings.files import recorded_keys
from eval.parity.report import Check, ParityReport, select
from eval.records.header import WorldIdentity, WorldRecord
from eval.records.turns import Turn
from eval.rollout.faults import Fault
from eval.rollout.interrupts import Interrupts
from eval.rollout.loop import Rollout
from eval.rollout.play import Finished
from eval.rollout.policy_calls import PolicyCalls
from eval.rollout.pool import WorkerSettings
from policies.base import Action, EpisodeInfo, Observation, PolicyDescription

WATCHDOG_SECONDS = 300.0
STATE_LIMIT = 1e-6
"""m, rad; the recordings are single precision."""
IMAGE_LIMIT = 1.0
"""Of 255, in the worst pixel."""


def compare_original(
    folder: Path,
    images: Path | None,
    python: str | None,
    only: Sequence[str] = (),
    sequences: int = 3,
    workers: int | None = None,
    render_device: str | None = None,
) -> ParityReport:
    """Play up to ``sequences`` recorded sequences of every selected key, and the raster images of ``images``.

    ``render_device``: what renders, as its SAPIEN counts; None: the first.

    Raises UserError if the interpreter cannot run the original or no key matches a pattern of ``only``.
    """
    original = find_original(python, render_device)
    frames: dict[str, Path] = {} if images is None else dict.fromkeys(raster_keys(images), images)
    cases: dict[str, tuple[EpisodeSpec, Expected]] = {}
    for key in select([*recorded_keys(folder), *frames], only):
        episodes = recorded_frames(frames[key], key) if key in frames else recorded_sequences(folder, key, sequences)
        for number, (spec, case) in enumerate(episodes):
            steps = len(case.actions) + bool(case.images)  # the image after the last action is seen before another one
            own = spec.model_copy(update={"setting": "recorded", "variant": key, "index": number, "max_steps": steps})
            payload = {**json.loads(case.payload), "max_steps": steps}
            if render_device is not None:
                payload["kwargs"] = {**payload["kwargs"], "renderer_kwargs": {"device": render_device}}
            case.payload = json.dumps(payload)
            cases[own.id] = (own, case)
    _play(cases, original.python, workers or len(os.sched_getaffinity(0)))
    notes = [f"{original.name}, interpreter {original.python}"]
    notes += [f"{case.key}: {case.error}" for _, case in cases.values() if case.error]
    return ParityReport(tuple(_checks([case for _, case in cases.values()])), tuple(notes))


def _play(cases: Mapping[str, tuple[EpisodeSpec, Expected]], python: str, workers: int) -> None:
    """First the episodes without images, then those with: a rollout does either."""
    for with_images in (False, True):
        chosen = {name: item for name, item in cases.items() if bool(item[1].images) == with_images}
        backend = RecordedEpisodes(WorldIdentity(name="simpler-env"), ForeignWorker(python, WORKER), cases)
        player = RecordedActions({name: case for name, (_, case) in chosen.items()}, with_images)
        settings = WorkerSettings(backend, max(1, min(workers, len(chosen))), WATCHDOG_SECONDS)
        with Interrupts() as interrupts, PolicyCalls(interrupts, player) as calls:
            Rollout([Turn(spec) for spec, _ in chosen.values()], calls, settings, player).play()


class RecordedEpisodes(Backend):
    """The original, beginning its episodes as the recordings say."""

    def __init__(
        self, identity: WorldIdentity, worker: ForeignWorker, cases: Mapping[str, tuple[EpisodeSpec, Expected]]
    ) -> None:
        super().__init__(identity, worker)
        self._cases = cases

    def payload(self, spec: EpisodeSpec) -> str:
        """As recorded."""
        return self._cases[spec.id][1].payload

    def completed(self, record: WorldRecord) -> WorldRecord:
        """As it is: nothing is kept of it."""
        return record


class RecordedActions:
    """A policy that repeats the recorded actions and compares the outcome; also the rollout's recorder."""

    needs_privileged = True

    def __init__(self, cases: Mapping[str, Expected], with_images: bool) -> None:
        self._cases, self.needs_image = cases, with_images

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Nothing is remembered of an episode."""

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """The recorded action of each."""
        return [self._act(observation) for observation in observations]

    def _act(self, observation: Observation) -> Action:
        case, step = self._cases[observation.episode], observation.step
        if case.arrays:
            _compare_state(case, observation)
        if step in case.images and observation.image is not None:
            apart = np.abs(observation.image.astype(int) - case.images[step]).max()
            case.image = max(case.image, float(apart))
        action = case.actions[step] if step < len(case.actions) else np.zeros(7)
        first = not case.texts or observation.instruction == case.texts[0]  # in the last subtask it would end the episode
        return Action(action, terminate=first and step in case.advance_before)

    def describe(self) -> PolicyDescription:
        """Its name."""
        return PolicyDescription(name="recorded actions")

    def close(self) -> None:
        """Holds nothing."""

    def wants_film(self, turn: Turn) -> bool:
        """No."""
        return False

    def wants_policy_view(self) -> bool:
        """No."""
        return False

    def world(self, record: WorldRecord) -> None:
        """Not kept."""

    def noticed(self, fault: Fault, turn: Turn, where: str) -> None:
        """Whatever fails here takes a verdict, too."""

    def tick(self) -> None:
        """Nothing waits."""

    def finished(self, episode: Finished) -> None:
        """Compare verdicts and statistics."""
        case = self._cases[episode.spec.id]
        case.error = episode.record.error
        if case.stats is None or case.error:
            return
        flags = [bool(flag) for flag in case.arrays["terminated"]]
        case.verdicts_wrong = sum(ours != theirs for ours, theirs in zip(episode.flags[1:], flags, strict=True))
        ours = episode.record.episode_stats
        case.stats_wrong = sum(not _same(ours.get(name), value) for name, value in case.stats.items())


def _compare_state(case: Expected, observation: Observation) -> None:
    step, state = observation.step, observation.privileged
    if state is None:
        raise RuntimeError("the worker sent no privileged state")
    poses = [case.arrays["x.actor_pose"][step][case.names.index(name)] for name in state.objects]
    apart = [np.abs(np.float32(pose) - recorded).max() for pose, recorded in zip(state.objects.values(), poses, strict=True)]
    apart.append(np.abs(np.float32(state.tcp) - case.arrays["x.tcp"][step]).max())
    apart.append(np.abs(observation.proprio.qpos - case.arrays["x.robot_qpos"][step]).max())
    case.later = max(case.later, float(max(apart)))
    if step == 0:
        case.initial = case.later
    text = next(case.texts[at] for at in sorted(case.texts, reverse=True) if at <= step)
    case.instructions_wrong += observation.instruction != text
    case.instructions_compared += 1


def _same(ours: Any, recorded: Any) -> bool:  # noqa: ANN401  numbers or their texts
    """Statistics as recorded: some are texts of numbers, cut to three digits."""
    try:
        return abs(float(ours) - float(recorded)) <= 1e-3
    except (TypeError, ValueError):
        return bool(ours == recorded)


def _checks(cases: Sequence[Expected]) -> Iterator[Check]:
    for key in dict.fromkeys(case.key for case in cases):
        group = [case for case in cases if case.key == key]
        n = len(group)
        yield Check(key, "sequences without a verdict", float(sum(case.error is not None for case in group)), 0.0, "of them", n)
        if group[0].images:
            yield Check(key, "policy picture, worst pixel", max(case.image for case in group), IMAGE_LIMIT, "of 255", n)
            continue
        yield Check(key, "initial state", max(case.initial for case in group), STATE_LIMIT, "m, rad", n)
        yield Check(key, "every later state", max(case.later for case in group), STATE_LIMIT, "m, rad", n)
        seen = sum(case.instructions_compared for case in group)
        yield Check(key, "instructions that differ", float(sum(case.instructions_wrong for case in group)), 0.0, "steps", seen)
        steps = sum(len(case.actions) for case in group)
        yield Check(key, "success flags that differ", float(sum(case.verdicts_wrong for case in group)), 0.0, "steps", steps)
        yield Check(key, "statistics that differ", float(sum(case.stats_wrong for case in group)), 0.0, "numbers", n)
