"""The recorder's part of ``run --record``: episodes are encoded in the background, and become durable after their frames."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.datasets.extra import need_encoder, need_pyarrow
from eval.datasets.images import Codec
from eval.datasets.staging import STAGING, Recording, StagedFiles, Staging
from eval.datasets.writer import FOLDER, recorded, write_datasets
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.nouns import counted, noun
from eval.records.folder import RunData
from eval.records.options import Keep, RunOptions
from eval.records.refusals import disk_refusal
from eval.records.results import EpisodeRecord, RecordKey
from eval.rollout.loop import FILM_SLOTS
from eval.rollout.play import Finished

ENCODERS = max(1, min(4, len(os.sched_getaffinity(0)) // 4))
"""Episodes that are encoded at a time; one of 50 images takes about as long as 16 simulators take for two."""
BACKLOG = 2 + ENCODERS
"""Episodes that may wait for the encoders or be with them; then the run waits, so that memory stays bounded."""
CODECS: dict[str, Codec] = {"lerobot": "lossy", "lerobot-lossless": "lossless"}
"""``--record`` -> how images are kept."""
STOPPED = "the run was stopped before it was encoded"


def check_recording(options: RunOptions) -> None:
    """Raises UserError, before anything is made, if something is missing that ``--record`` needs."""
    if options.record == "none":
        return
    need_pyarrow(f"--record {options.record}")
    need_encoder(f"--record {options.record}")


def check_length(options: RunOptions, plan: Sequence[EpisodeSpec]) -> None:
    """Raises UserError if an episode is too long for ``--record``."""
    if options.record != "none" and max(spec.max_steps for spec in plan) >= FILM_SLOTS:
        raise UserError(f"--record keeps episodes of up to {FILM_SLOTS - 1} steps; give --max-steps {FILM_SLOTS - 1} or less.")


def check_codec(options: RunOptions, run: Path) -> None:
    """Raises UserError, before a run goes on, if what it recorded has images of another kind: a dataset has one kind alone."""
    if options.record == "none":
        return
    kept = Staging(run / FOLDER / STAGING).codec()
    if kept is not None and kept != CODECS[options.record]:
        before = next(name for name, codec in CODECS.items() if codec == kept)
        raise UserError(
            f"{run} was recorded with {kept} images, and a dataset has one kind alone; go on with --record {before}, or choose "
            "another --out."
        )


@dataclass(frozen=True)
class Recorded:
    """The frames of an episode that ended in a replica."""

    files: StagedFiles | None
    lost: str = ""
    """Why there are none."""


class Recordings:
    """Frames of episodes on their way to the disk.

    Args:
        run: folder of the run.
        codec: how images are kept.
        keep: which episodes: all, or those that succeeded.
    """

    def __init__(self, run: Path, codec: Codec, keep: Keep = "all") -> None:
        self.lost: Counter[str] = Counter()
        """Why judged episodes are not recorded -> how many."""
        self._codec: Codec = codec
        self._keep_only: Keep = keep
        self._run = run
        self._staging = Staging(run / FOLDER / STAGING)
        self._pool = ThreadPoolExecutor(max_workers=ENCODERS, thread_name_prefix="record")
        self._waiting: dict[RecordKey, Future[None]] = {}
        self._held: dict[RecordKey, EpisodeRecord] = {}
        self._why: dict[RecordKey, str] = {}

    def too_late_for(self, before: Sequence[EpisodeRecord]) -> list[str]:
        """What cannot be recorded any more of episodes that were judged before, a line for each kind."""
        wanted = [record for record in before if self.wants(record)]
        missing = sum(self._staging.episode(record.key) is None for record in wanted)
        if not missing:
            return []
        have = noun(missing, "was", "were")
        return [
            f"{counted(missing, 'episode')} {have} played before and not recorded; frames are kept while an "
            f"episode is played, not afterwards"
        ]

    def wants(self, record: EpisodeRecord) -> bool:
        """Whether the frames of an episode with a verdict are to be kept."""
        return self._keep_only == "all" or record.success_last

    def take(self, episode: Finished) -> None:
        """Queue an episode that has a verdict; blocks while ``BACKLOG`` others wait."""
        key = episode.record.key
        if episode.record.status == "errored" or not episode.record.steps or not self.wants(episode.record):
            with contextlib.suppress(OSError):
                self._staging.forget(key)
            return
        waiting = [future for future in self._waiting.values() if not future.done()]
        if len(waiting) >= BACKLOG:
            waiting[0].exception()
        self._waiting[key] = self._pool.submit(self._keep, episode)

    def _keep(self, episode: Finished) -> None:
        recording = recording_of(episode)
        if recording is None:
            raise UserError("not all of its images were kept")
        try:
            self._staging.keep(recording, self._codec)
        except OSError:  # Ctrl-C in a terminal reaches the encoder, too
            self._staging.keep(recording, self._codec)

    def hold(self, record: EpisodeRecord) -> bool:
        """Whether a result must wait for its frames; then :meth:`settled` gives it back."""
        if record.key not in self._waiting:
            return False
        self._held[record.key] = record
        return True

    def settled(self) -> list[EpisodeRecord]:
        """Results whose frames are on disk, or lost."""
        done = [key for key, future in self._waiting.items() if future.done() and key in self._held]
        return [self._settle(key) for key in done]

    def hand_over(self, key: RecordKey) -> Recorded:
        """The frames of a settled result, to be kept elsewhere; nothing stays here."""
        try:
            files = self._staging.files(key)
            self._staging.forget(key)
        except OSError:
            return Recorded(None, self._why.pop(key, "its frames are gone"))
        return Recorded(files)

    def take_over(self, record: EpisodeRecord, recorded: Recorded) -> EpisodeRecord:
        """Keep frames that were encoded elsewhere; gives back the record, which says so if the disk refuses them."""
        key = record.key
        if recorded.files is None:
            self._lose(key, recorded.lost)
            return record
        try:
            self._staging.put(key, recorded.files)
        except OSError as error:
            return self._lost(record, error)
        return record

    def _settle(self, key: RecordKey) -> EpisodeRecord:
        error = self._waiting.pop(key).exception()
        record = self._held.pop(key)
        return record if error is None else self._lost(record, error)

    def _lost(self, record: EpisodeRecord, error: BaseException) -> EpisodeRecord:
        """A result is worth more than its frames."""
        self._lose(record.key, " ".join(f"{type(error).__name__}: {error}".split())[:500])
        refusal = disk_refusal(error, self._run)
        return record if refusal is None else record.model_copy(update={"unwritten": refusal})

    def _lose(self, key: RecordKey, why: str) -> None:
        self.lost[why] += 1
        self._why[key] = why
        with contextlib.suppress(OSError):
            self._staging.forget(key)

    def wait(self, seconds: float | None = None) -> None:
        """Until all frames are on disk, at most ``seconds``."""
        wait(list(self._waiting.values()), seconds)

    def abandon(self) -> list[EpisodeRecord]:
        """Results that wait, without their frames if these are not on disk yet; nothing more is encoded."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        records = self.settled()
        for key in list(self._held):
            del self._waiting[key]
            self._lose(key, STOPPED)
            records.append(self._held.pop(key))
        return records

    def finish(self, run: RunData) -> str | None:
        """Put the datasets together from all that is recorded; says in a line what is not in them, or why that failed."""
        said = []
        if self.lost:
            why, count = self.lost.most_common(1)[0]
            lost = sum(self.lost.values())
            said.append(f"{counted(lost, 'episode')} could not be recorded ({count}: {why}); the results are kept")
        try:
            if recorded(run):
                write_datasets(run, only_successes=self._keep_only == "successes")
        except (UserError, OSError) as error:
            again = f"simpler-eval export {run.path} --to lerobot"
            said.append(f"the datasets are not written ({error}); what is recorded is kept: {again}")
        return "; ".join(said) or None


def recording_of(episode: Finished) -> Recording | None:
    """What a dataset keeps of an episode; None if its images or states are not all there."""
    steps, states, frames = episode.record.steps, episode.states, episode.frames
    if frames is None or len(frames) < steps + 1 or len(states) < steps:
        return None
    before = states[:steps]
    return Recording(
        spec=episode.spec,
        record=episode.record,
        images=frames[:steps],
        instructions=[state.instruction for state in before],
        tcp_poses=np.array([state.tcp_pose for state in before]),
        openings=np.array([state.gripper_opening for state in before]),
        qpos=np.array([state.qpos for state in before]),
        actions=np.array(episode.commands if episode.labels is None else episode.labels),
        successes=np.array(episode.flags[1 : steps + 1], bool),
        privileged=[state.privileged for state in before],
        executed=None if episode.labels is None else np.array(episode.commands),
    )
