"""The same episodes in two worlds: verdicts side by side, counted by cell and level of the policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eval.episode import EpisodeSpec
from eval.statistics.differences import mcnemar_exact, paired_difference_interval
from eval.statistics.ranking import mean_maximum_rank_violation, pearson

SPLIT = {
    "google_robot_pick_coke_can": "google_robot_pick_{}_coke_can",
    "google_robot_open_drawer": "google_robot_open_{}_drawer",
    "google_robot_close_drawer": "google_robot_close_{}_drawer",
}
"""Tasks of which each first axis of the variants (orientation, drawer) is a cell: the task that has only that."""


def cell_of(spec: EpisodeSpec) -> str:
    """The cell an episode belongs to, such as ``google_robot_pick_standing_coke_can``."""
    first, axes, _ = spec.variant.partition("/")
    name = SPLIT[spec.task].format(first) if spec.task in SPLIT and axes else spec.task
    return name if spec.setting == "visual_matching" else f"{name} ({spec.setting})"


@dataclass(frozen=True)
class Episode:
    """One episode of one level, and how it ended in each world."""

    level: str
    cell: str
    run: str
    """Name of its run folder; rounds with other seeds have one each."""
    id: str
    ours: str
    """``success``, ``failure``, ``errored`` or ``missing`` (not played yet)."""
    original: str

    @property
    def lacks(self) -> str | None:
        """Why it cannot be compared, if so."""
        return next((word for word in ("missing", "errored") if word in (self.ours, self.original)), None)


@dataclass(frozen=True)
class Paired:
    """Verdicts of the same episodes in both worlds, counted."""

    n: int
    both: int
    only_ours: int
    only_original: int
    errored: int
    """Without a verdict in one of the worlds, so in none of the other numbers."""
    missing: int
    """Not played (yet) in one of them; in none of the others either."""

    @classmethod
    def of(cls, episodes: Sequence[Episode]) -> Paired:
        """Count episodes."""
        lacks = [episode.lacks for episode in episodes]
        pairs = [(episode.ours == "success", episode.original == "success") for episode in episodes if not episode.lacks]
        counts = (pairs.count((True, True)), pairs.count((True, False)), pairs.count((False, True)))
        return cls(len(pairs), *counts, lacks.count("errored"), lacks.count("missing"))

    @property
    def ours(self) -> float:
        """Success rate in our world, 0..1; nan without an episode."""
        return (self.both + self.only_ours) / self.n if self.n else float("nan")

    @property
    def original(self) -> float:
        """Success rate in the original."""
        return (self.both + self.only_original) / self.n if self.n else float("nan")

    @property
    def difference(self) -> float:
        """Ours minus the original's, -1..1."""
        return (self.only_ours - self.only_original) / self.n if self.n else float("nan")

    @property
    def apart(self) -> float:
        """The difference either way; 1, the largest there can be, where nothing was compared."""
        return abs(self.difference) if self.n else 1.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference, -1..1."""
        return paired_difference_interval(self.only_ours, self.only_original, self.n)

    @property
    def interval_from_zero(self) -> float:
        """How far the interval is from holding 0; 0 where it does, 1 where nothing was compared."""
        low, high = self.interval
        return max(0.0, low, -high) if self.n else 1.0

    def to_json(self) -> dict[str, Any]:
        """Counts, rates, difference with its 95 % interval, and McNemar's p; None without an episode."""
        low, high = self.interval
        rates = {"ours": self.ours, "original": self.original, "difference": self.difference}
        p = mcnemar_exact(self.only_ours, self.only_original)
        known = {**rates, "low": low, "high": high, "p": p}
        return {**asdict(self), "rates": {key: value if self.n else None for key, value in known.items()}}


@dataclass(frozen=True)
class Cell:
    """A cell, or all of them."""

    name: str
    paired: Paired
    levels: Mapping[str, tuple[float, float]]
    """Success rates in our world and in the original by level; over all cells, the mean of the cells' rates."""
    limit: float
    """Largest difference that passes, either way."""

    @property
    def is_ranked(self) -> bool:
        """Whether there is an order to be compared; one level has none."""
        return len(self.levels) > 1

    @property
    def pearson(self) -> float:
        """Correlation of the levels' rates, -1..1."""
        return pearson(*self._rates())

    @property
    def mmrv(self) -> float:
        """Mean maximum rank violation over the levels, 0..1; the original is what is real."""
        return mean_maximum_rank_violation(*self._rates())

    def _rates(self) -> tuple[list[float], list[float]]:
        ours, original = zip(*self.levels.values(), strict=True) if self.levels else ((), ())
        return list(ours), list(original)

    def to_json(self) -> dict[str, Any]:
        """All numbers above, as JSON values."""
        levels = [{"level": level, "ours": a, "original": b} for level, (a, b) in self.levels.items()]
        whole = {"pearson": self.pearson, "mmrv": self.mmrv} if self.is_ranked else {"pearson": None, "mmrv": None}
        return {"cell": self.name, **self.paired.to_json(), **whole, "limit": self.limit, "levels": levels}
