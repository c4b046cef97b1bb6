"""Keeps what a rollout produces: records, world, actions and faults in the run folder, videos through the encoder."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.records.folder import RunFolder
from eval.records.header import WorldRecord
from eval.records.labels import player_name
from eval.records.options import Keep
from eval.records.refusals import disk_refusal
from eval.records.results import EpisodeRecord
from eval.records.turns import Turn, turns_of
from eval.records.videos import Film, Video, VideoQueue, VideoRule, keep_video
from eval.records.worlds import merge_worlds
from eval.rollout.fault_log import FaultLog
from eval.rollout.faults import Fault
from eval.rollout.kept_actions import KeptActions
from eval.rollout.play import Finished
from eval.rollout.recordings import CODECS, Recorded, Recordings
from eval.rollout.stopping import StopRule

Listener = Callable[[EpisodeRecord], None]
"""Called with every record as it becomes durable."""


def film_of(episode: Finished, frames: NDArray[np.uint8], policy: str) -> Film:
    """What the video of an episode shows; ``policy``: its name."""
    return Film(episode.spec, episode.record, frames, episode.flags, episode.notes, episode.commands, policy)


class FolderRecorder:
    """The recorder of a run that has a folder."""

    def __init__(
        self,
        folder: RunFolder,
        videos: VideoRule,
        listener: Listener | None,
        keep_actions: bool = True,
        record: str = "none",
        keep: Keep = "all",
        stopping: StopRule | None = None,
    ) -> None:
        self.folder, self.rule, self.listener = folder, videos, listener
        self.filmed = videos.film(turns_of(folder.plan, folder.header.repeats))
        self.videos = VideoQueue(folder.path)
        self.policy = player_name(folder.header.options, folder.header.policy)
        self.actions = KeptActions(folder.path, keep_actions)
        self.recordings = Recordings(folder.path, CODECS[record], keep) if record != "none" else None
        self.faults = FaultLog(folder.path)
        self.stopping = stopping or StopRule()
        """Told when the disk refuses what was asked for."""
        self.appended = 0
        """Records written so far."""
        self.unfilmed: list[EpisodeRecord] = []
        """Those of them that lack a video which was asked for."""

    def too_late_for(self, before: Sequence[EpisodeRecord]) -> list[str]:
        """What is asked for and cannot be had of episodes that were played before, a line for each kind."""
        judged = [record for record in before if record.status != "errored" and record.steps]
        bare = [r for r in judged if r.key in self.filmed and self.rule.keep(r) and r.video is None and not r.video_error]
        lines = []
        if bare:
            lines.append(
                f"{_played_before(len(bare))} without a video, which is made while an episode is played; "
                f"simpler-eval replay {shlex.quote(str(self.folder.path))} EPISODE --video makes one"
            )
        return lines if self.recordings is None else [*lines, *self.recordings.too_late_for(judged)]

    def is_incomplete(self, record: EpisodeRecord) -> bool:
        """Whether the disk refused something of an episode that is asked for now."""
        filmed = record.video is None and record.key in self.filmed and self.rule.keep(record)
        return record.unwritten is not None and (filmed or (self.recordings is not None and self.recordings.wants(record)))

    def wants_film(self, turn: Turn) -> bool:
        """Whether the images of this episode may be needed when it ends."""
        return self.recordings is not None or turn.key in self.filmed

    def wants_policy_view(self) -> bool:
        """Whether a film shows what the policy noted, too."""
        return self.rule.policy_view

    def world(self, record: WorldRecord) -> None:
        """Complete ``run.json`` with what only a worker knows; stand-ins of all scenes are gathered."""
        before = self.folder.header.world
        merged = merge_worlds(before, record)
        if merged != before:
            self.folder.write_header(self.folder.header.model_copy(update={"world": merged}))

    def finished(self, episode: Finished) -> None:
        """Make the episode durable, after its actions and its video if it gets one."""
        record = episode.record
        if episode.fault is not None:
            self.faults.episode_lost(episode.fault, Turn(episode.spec, record.repeat), record.steps)
        self.actions.write(record.key, episode.commands, episode.terminates, episode.moments)
        if self.recordings is not None:
            self.recordings.take(episode)
        if record.key not in self.filmed or not self.rule.keep(record):
            self._append(record)
        elif episode.frames is None:
            self._append(record.model_copy(update={"video_error": "there was no image yet"}))
        else:
            self.videos.submit(film_of(episode, episode.frames, self.policy))

    def noticed(self, fault: Fault, turn: Turn, where: str) -> None:
        """Something failed that took no verdict."""
        self.faults.notice(fault, turn, where)

    def ended_elsewhere(self, episode: Finished, video: Video | None, recorded: Recorded | None = None) -> None:
        """Make an episode durable that ended in a replica: its record names the video that was encoded there."""
        record = episode.record
        if episode.fault is not None:
            self.faults.episode_lost(episode.fault, Turn(episode.spec, record.repeat), record.steps)
        self.actions.write(record.key, episode.commands, episode.terminates, episode.moments)
        if self.recordings is not None and recorded is not None:
            record = self.recordings.take_over(record, recorded)
        if video is not None and record.video is not None:
            self.videos.incomplete.update(video.lacks)
            try:
                keep_video(self.folder.path, video)
            except OSError as error:  # a result is worth more than its video
                lost = {"video": None, "poster": None, "video_error": f"{type(error).__name__}: {error}"[:500]}
                record = record.model_copy(update={**lost, "unwritten": disk_refusal(error, self.folder.path)})
        self._append(record)

    def tick(self) -> None:
        """Take in the videos and the frames that are done."""
        for record in self.videos.collect():
            self._append(record)
        for record in self.recordings.settled() if self.recordings is not None else ():
            self._write(record)

    def wait(self, seconds: float | None = None) -> None:
        """Until all videos and frames are on disk, at most ``seconds`` for each kind."""
        self.videos.wait(seconds)
        if self.recordings is not None:
            self.recordings.wait(seconds)

    def keep_filmed(self) -> None:
        """Keep the results that wait for their videos, with those that are done, and encode no more."""
        for record in self.videos.abandon():
            self._append(record)
        self.videos.close(wait=False)
        for record in self.recordings.abandon() if self.recordings is not None else ():
            self._write(record)

    def _append(self, record: EpisodeRecord) -> None:
        """An episode is over, and its video is made; if its frames are recorded, it waits for them."""
        if self.recordings is None or not self.recordings.hold(record):
            self._write(record)

    def _write(self, record: EpisodeRecord) -> None:
        before = self.folder.records.get(record.key)
        self.folder.append(record)
        self.appended += 1
        if record.video_error is not None:
            self.unfilmed.append(record)
        if record.unwritten is not None:
            self.stopping.refused(record.unwritten)
        replaced = () if before is None else (before.video, before.poster)
        for name in replaced:
            if name is not None and name not in (record.video, record.poster):
                with contextlib.suppress(OSError):
                    (self.folder.path / name).unlink()  # of the try that this one replaces
        if self.listener is not None:
            self.listener(record)


def _played_before(count: int) -> str:
    return f"{count} episode{' was' if count == 1 else 's were'} played before"
