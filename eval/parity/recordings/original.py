"""``parity original``: an installed original simulator, behind our runner, against recordings of the original.

Plays recorded actions in it and compares initial states, every later state, instructions, verdicts, statistics and pictures.
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
from eval.rollout.loop import Rollout
from eval.rollout.play import Finished
from eval.rollout.pool import WorkerSettings
from policies.base import Action, EpisodeInfo, Observation, PolicyDescription

WATCHDOG_SECONDS = 300.0
STATE_LIMIT = 1e-6
"""m, rad; the recordings are single precision."""
PICTURE_LIMIT = 1.0
"""Of 255, in the worst pixel."""


def compare_original(
    folder: Path,
    images: Path | None,
    python: str | None,
    only: Sequence[str] = (),
    sequences: int = 3,
    workers: int | None = None,
) -> ParityReport:
    """Play up to ``sequences`` recorded sequences of every selected key, and the raster pictures of ``images``.

    Raises UserError if the interpreter cannot run the original or no key matches a pattern of ``only``.
    """
    found = find_original(python)
    frames: dict[str, Path] = {} if images is None else dict.fromkeys(raster_keys(images), images)
    wanted: dict[str, tuple[EpisodeSpec, Expected]] = {}
    for key in select([*recorded_keys(folder), *frames], only):
        made = recorded_frames(frames[key], key) if key in frames else recorded_sequences(folder, key, sequences)
        for number, (spec, want) in enumerate(made):
            steps = len(want.actions) + bool(want.pictures)  # the picture after the last action is seen before another one
            own = spec.model_copy(update={"setting": "recorded", "variant": key, "index": number, "max_steps": steps})
            want.payload = json.dumps({**json.loads(want.payload), "max_steps": steps})
            wanted[own.id] = (own, want)
    _play(wanted, found.python, workers or len(os.sched_getaffinity(0)))
    notes = [f"{found.name}, interpreter {found.python}"]
    notes += [f"{want.key}: {want.error}" for _, want in wanted.values() if want.error]
    return ParityReport(tuple(_checks([want for _, want in wanted.values()])), tuple(notes))


def _play(wanted: Mapping[str, tuple[EpisodeSpec, Expected]], python: str, workers: int) -> None:
    """All of it with pictures, then all of it without: a rollout does either."""
    for pictures in (False, True):
        chosen = {name: item for name, item in wanted.items() if bool(item[1].pictures) == pictures}
        backend = RecordedEpisodes(WorldIdentity(name="simpler-env"), ForeignWorker(python, WORKER), wanted)
        player = RecordedActions({name: want for name, (_, want) in chosen.items()}, pictures)
        settings = WorkerSettings(backend, max(1, min(workers, len(chosen))), WATCHDOG_SECONDS)
        Rollout([spec for spec, _ in chosen.values()], player, settings, player).play()


class RecordedEpisodes(Backend):
    """The original, beginning its episodes as the recordings say."""

    def __init__(
        self, identity: WorldIdentity, worker: ForeignWorker, wanted: Mapping[str, tuple[EpisodeSpec, Expected]]
    ) -> None:
        super().__init__(identity, worker)
        self._wanted = wanted

    def payload(self, spec: EpisodeSpec) -> str:
        """As recorded."""
        return self._wanted[spec.id][1].payload

    def completed(self, record: WorldRecord) -> WorldRecord:
        """As it is: nothing is kept of it."""
        return record


class RecordedActions:
    """A policy that repeats what was done and looks at what comes of it; also the rollout's recorder."""

    needs_privileged = True

    def __init__(self, wanted: Mapping[str, Expected], pictures: bool) -> None:
        self._wanted, self.needs_image = wanted, pictures

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Nothing is remembered of an episode."""

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """The recorded action of each."""
        return [self._act(observation) for observation in observations]

    def _act(self, observation: Observation) -> Action:
        want, step = self._wanted[observation.episode], observation.step
        if want.arrays:
            _compare_state(want, observation)
        if step in want.pictures and observation.image is not None:
            apart = np.abs(observation.image.astype(int) - want.pictures[step]).max()
            want.picture = max(want.picture, float(apart))
        action = want.actions[step] if step < len(want.actions) else np.zeros(7)
        first = not want.texts or observation.instruction == want.texts[0]  # in the last subtask it would end the episode
        return Action(action, terminate=first and step in want.advance_before)

    def describe(self) -> PolicyDescription:
        """Its name."""
        return PolicyDescription(name="recorded actions")

    def close(self) -> None:
        """Holds nothing."""

    def wants_film(self, spec: EpisodeSpec) -> bool:
        """No."""
        return False

    def wants_policy_view(self) -> bool:
        """No."""
        return False

    def world(self, record: WorldRecord) -> None:
        """Not kept."""

    def tick(self) -> None:
        """Nothing waits."""

    def finished(self, episode: Finished) -> None:
        """Compare verdicts and statistics."""
        want = self._wanted[episode.spec.id]
        want.error = episode.record.error
        if want.stats is None or want.error:
            return
        flags = [bool(flag) for flag in want.arrays["terminated"]]
        want.verdicts_wrong = sum(ours != theirs for ours, theirs in zip(episode.flags[1:], flags, strict=True))
        ours = episode.record.episode_stats
        want.stats_wrong = sum(not _same(ours.get(name), value) for name, value in want.stats.items())


def _compare_state(want: Expected, observation: Observation) -> None:
    step, state = observation.step, observation.privileged
    if state is None:
        raise RuntimeError("the worker told no privileged state")
    poses = [want.arrays["x.actor_pose"][step][want.names.index(name)] for name in state.objects]
    apart = [np.abs(np.float32(pose) - wanted).max() for pose, wanted in zip(state.objects.values(), poses, strict=True)]
    apart.append(np.abs(np.float32(state.tcp) - want.arrays["x.tcp"][step]).max())
    apart.append(np.abs(observation.proprio.qpos - want.arrays["x.robot_qpos"][step]).max())
    want.later = max(want.later, float(max(apart)))
    if step == 0:
        want.initial = want.later
    text = next(want.texts[at] for at in sorted(want.texts, reverse=True) if at <= step)
    want.words_wrong += observation.instruction != text
    want.words_seen += 1


def _same(ours: Any, wanted: Any) -> bool:
    """Statistics as recorded: some are texts of numbers, cut to three digits."""
    try:
        return abs(float(ours) - float(wanted)) <= 1e-3
    except (TypeError, ValueError):
        return bool(ours == wanted)


def _checks(wanted: Sequence[Expected]) -> Iterator[Check]:
    for key in dict.fromkeys(want.key for want in wanted):
        group = [want for want in wanted if want.key == key]
        n = len(group)
        yield Check(key, "sequences without a verdict", float(sum(want.error is not None for want in group)), 0.0, "of them", n)
        if group[0].pictures:
            yield Check(key, "policy picture, worst pixel", max(want.picture for want in group), PICTURE_LIMIT, "of 255", n)
            continue
        yield Check(key, "initial state", max(want.initial for want in group), STATE_LIMIT, "m, rad", n)
        yield Check(key, "every later state", max(want.later for want in group), STATE_LIMIT, "m, rad", n)
        seen = sum(want.words_seen for want in group)
        yield Check(key, "instructions that differ", float(sum(want.words_wrong for want in group)), 0.0, "steps", seen)
        steps = sum(len(want.actions) for want in group)
        yield Check(key, "success flags that differ", float(sum(want.verdicts_wrong for want in group)), 0.0, "steps", steps)
        yield Check(key, "statistics that differ", float(sum(want.stats_wrong for want in group)), 0.0, "numbers", n)
