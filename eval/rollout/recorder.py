"""Keeps what a rollout produces: records and world in the run folder, videos through the encoder."""

from __future__ import annotations

from collections.abc import Callable

from eval.episode import EpisodeSpec
from eval.records.folder import RunFolder
from eval.records.header import WorldRecord
from eval.records.results import EpisodeRecord
from eval.records.videos import Film, VideoQueue, VideoRule
from eval.records.worlds import merge_worlds
from eval.rollout.play import Finished

Listener = Callable[[EpisodeRecord], None]
"""Called with every record as it becomes durable."""


class FolderRecorder:
    """The recorder of a run that has a folder."""

    def __init__(self, folder: RunFolder, videos: VideoRule, listener: Listener | None) -> None:
        self.folder, self.rule, self.listener = folder, videos, listener
        self.filmed = videos.film(folder.plan)
        self.videos = VideoQueue(folder.path)

    def wants_film(self, spec: EpisodeSpec) -> bool:
        """Whether the images of this episode may be needed when it ends."""
        return spec.id in self.filmed

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
        """Make the episode durable, after its video if it gets one."""
        if episode.frames is not None and self.rule.keep(episode.record):
            self.videos.submit(Film(episode.spec, episode.record, episode.frames, episode.flags, episode.notes))
        else:
            self._append(episode.record)

    def tick(self) -> None:
        """Take in the videos that are done."""
        for record in self.videos.collect():
            self._append(record)

    def drain(self) -> None:
        """Wait for the videos that are not."""
        for record in self.videos.collect(wait=True):
            self._append(record)

    def _append(self, record: EpisodeRecord) -> None:
        self.folder.append(record)
        if self.listener is not None:
            self.listener(record)
