"""The record of one finished episode: one line of ``episodes.jsonl``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["success", "failure", "errored"]


class EpisodeRecord(BaseModel):
    """How one episode ended. ``status`` follows the protocol: the flag of the *last* step decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """Content id of the episode's spec."""
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
    """2 if a worker died or hung in the first attempt."""
    instruction: str = ""
    """Instruction at the end."""
    episode_stats: dict[str, Any] = {}
    """The task's own statistics at the end (JSON scalars)."""
    video: str | None = None
    """Path inside the run folder."""
    video_error: str | None = None
    """Why there is no video although one was asked for."""
    error: str | None = None
    """One line: why there is no verdict."""
