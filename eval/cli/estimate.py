"""How long a run takes and how much it writes, from the speed and size of its first minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from eval.datasets.staging import STAGING, Staging
from eval.datasets.writer import FOLDER as DATASET
from eval.records.moments import FOLDER as STATES
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.turns import Turn
from eval.records.videos import VideoRule
from eval.rollout.kept_actions import FOLDER as ACTIONS

RECORD_BYTES = 800
"""Of a line of ``episodes.jsonl``."""


class Estimate:
    """Episodes that are still to be played, and what those that were tell about them.

    Args:
        turns: the whole run.
        videos: which of them are filmed.
    """

    def __init__(self, turns: Iterable[Turn], videos: VideoRule) -> None:
        every = list(turns)
        self._left: dict[RecordKey, int] = {turn.key: turn.spec.max_steps for turn in every}
        self._filmed = videos.film(every)
        self._seen: list[EpisodeRecord] = []
        self._steps_seen = 0

    def begin(self, before: Iterable[EpisodeRecord]) -> None:
        """What was played before is not played again."""
        for record in before:
            self._left.pop(record.key, None)

    def episode(self, record: EpisodeRecord) -> None:
        """One more is done."""
        self._steps_seen += self._left.pop(record.key, 0)
        self._seen.append(record)

    @property
    def steps_left(self) -> int:
        """Control steps, if no episode ends early."""
        return sum(self._left.values())

    def seconds_left(self, passed: float) -> float | None:
        """From the speed of the ``passed`` seconds; None until an episode is done."""
        return passed * self.steps_left / self._steps_seen if self._steps_seen else None

    def bytes_in_all(self, run: Path) -> tuple[int, int]:
        """(Bytes that this call of the command writes into the run folder, those of videos among them)."""
        filmed = [record for record in self._seen if record.key in self._filmed]
        videos = sum(_size(run / record.video) for record in filmed if record.video)
        waiting = sum(key in self._filmed for key in self._left)
        videos = round(videos * (1 + waiting / len(filmed))) if filmed else 0
        actions = sum(_size(run / kept / f"{record.key.name}.npy") for record in self._seen for kept in (ACTIONS, STATES))
        staging = Staging(run / DATASET / STAGING)
        actions += sum(_size(file(record.key)) for record in self._seen for file in (staging.video, staging.frames))
        others = (actions / max(1, len(self._seen)) + RECORD_BYTES) * (len(self._seen) + len(self._left))
        return videos + round(others), videos


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """``4 MB``, ``1.2 GB``."""
    units: Mapping[str, float] = {"GB": 1e9, "MB": 1e6}
    for unit, factor in units.items():
        if count >= factor:
            return f"{count / factor:.1f} {unit}" if count < 10 * factor else f"{count / factor:.0f} {unit}"
    return f"{max(1, round(count / 1e3))} kB"
