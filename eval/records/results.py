"""The record of one finished episode: one line of ``episodes.jsonl``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, JsonValue

Status = Literal["success", "failure", "errored"]


class RecordKey(NamedTuple):
    """What a run has at most one result of."""

    episode: str
    """Content id of the episode's spec."""
    repeat: int = 0
    """Number of the repetition; 0 for an episode that is played once."""

    @property
    def name(self) -> str:
        """What policies and files know it by: ``<id>``, and ``<id>-r<k>`` for repeat k > 0."""
        return f"{self.episode}-r{self.repeat}" if self.repeat else self.episode


class EpisodeRecord(BaseModel):
    """How one episode ended. ``status`` follows the protocol: the flag of the *last* step decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """Content id of the episode's spec."""
    repeat: int = 0
    """Number of the repetition, for policies or worlds that do not repeat themselves; 0 for the first."""
    task: str
    setting: str
    variant: str
    status: Status
    """``errored``: no verdict, because the policy, the world or the worker failed; never counted as a failure."""
    success_last: bool = False
    """Success flag of the last step."""
    success_any: bool = False
    """Whether the flag was ever up."""
    first_success_step: int | None = None
    """Control step (1 = after the first action) at which the flag first came up."""
    steps: int = 0
    """Control steps done."""
    seconds: float = 0.0
    """Wall-clock time from the reset to the end, s."""
    attempts: int = 1
    """2 if a worker died or hung in the first attempt; more if replicas of the policy were lost with it."""
    instruction: str = ""
    """Instruction at the end."""
    episode_stats: Mapping[str, JsonValue] = {}
    """The task's own statistics at the end (JSON scalars)."""
    video: str | None = None
    """Path inside the run folder."""
    poster: str | None = None
    """Path inside the run folder of a JPEG: the last image of the video, which shows the outcome. None in older runs."""
    video_error: str | None = None
    """Why there is no video although one was asked for."""
    unwritten: str | None = None
    """What the disk said when it refused the video or the frames: the episode is played again when the run goes on."""
    error: str | None = None
    """One line: why there is no verdict."""

    @property
    def key(self) -> RecordKey:
        """Under what a run keeps it."""
        return RecordKey(self.id, self.repeat)


Records = Mapping[RecordKey, EpisodeRecord]
"""The results of a run."""


def by_episode(records: Records) -> dict[str, tuple[EpisodeRecord, ...]]:
    """Episode id -> its records, in the order of their repeats."""
    grouped: dict[str, tuple[EpisodeRecord, ...]] = {}
    for key in sorted(records, key=lambda key: key.repeat):
        grouped[key.episode] = (*grouped.get(key.episode, ()), records[key])
    return grouped
