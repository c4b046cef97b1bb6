"""Which differences among published rows are more than noise at the number of episodes that they rest on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from eval.episode import EpisodeSpec
from eval.published.cells import cell_size, published_settings
from eval.published.numbers import published_numbers
from eval.records.cells import cells
from eval.statistics.differences import holm

ALPHA = 0.05


@dataclass(frozen=True)
class PublishedPair:
    """Two published numbers of one cell, the higher first."""

    higher: str
    lower: str
    percents: tuple[float, float]
    p: float
    """Fisher's exact test, with Holm's correction over all pairs of the cell."""

    @property
    def more_than_noise(self) -> bool:
        """Whether the test says so."""
        return self.p < ALPHA


@dataclass(frozen=True)
class PublishedCell:
    """All pairs of a cell's published numbers."""

    cell: str
    title: str
    setting: str
    n: int
    """Episodes behind each number. What each of them gave was not published, so the pairs are compared as independent ones."""
    numbers: int
    pairs: tuple[PublishedPair, ...]

    @property
    def told_apart(self) -> int:
        """Pairs that differ by more than noise."""
        return sum(pair.more_than_noise for pair in self.pairs)

    @property
    def smallest_told(self) -> float | None:
        """Points between the nearest two that differ by more than noise."""
        gaps = [pair.percents[0] - pair.percents[1] for pair in self.pairs if pair.more_than_noise]
        return min(gaps, default=None)

    @property
    def leaders(self) -> tuple[str, ...]:
        """The highest number, and those that cannot be told from it."""
        first = self.pairs[0].higher
        worse = {pair.lower for pair in self.pairs if pair.higher == first and pair.more_than_noise}
        rest = {name for pair in self.pairs for name in (pair.higher, pair.lower)} - worse - {first}
        return first, *sorted(rest)


def published_pairs(plan: Iterable[EpisodeSpec]) -> tuple[PublishedCell, ...]:
    """The published cells that a plan has episodes of, with every pair of their numbers; primary sources alone."""
    known = {(spec.task, spec.setting) for spec in plan}
    found = []
    for name in cells().cells:
        parts = [cells().sub_cells[part] for part in cells().sub_cells_of(name)]
        tasks = {task for part in parts for source in part.sources for task in source.tasks}
        for setting in published_settings(name):
            size = cell_size(name, setting) if any((task, setting) in known for task in tasks) else None
            if size:
                found.append(_cell(name, setting, size))
    return tuple(cell for cell in found if cell.pairs)


def _cell(name: str, setting: str, n: int) -> PublishedCell:
    from scipy.stats import fisher_exact  # seconds to import: only who audits pays

    percents: dict[str, float] = {}
    for number in published_numbers(name, setting):
        percents.setdefault(f"{number.model} ({number.set})" if number.set else number.model, number.percent)
    ranked = sorted(percents.items(), key=lambda row: -row[1])
    pairs = [(a, b) for a, b in itertools.combinations(ranked, 2) if a[1] > b[1]]
    counts = [(round(a[1] / 100 * n), round(b[1] / 100 * n)) for a, b in pairs]
    of_counts = {(k, j): float(fisher_exact([[k, n - k], [j, n - j]])[1]) for k, j in set(counts)}
    tests = holm([of_counts[pair] for pair in counts])
    told = tuple(PublishedPair(a[0], b[0], (a[1], b[1]), p) for (a, b), p in zip(pairs, tests, strict=True))
    return PublishedCell(name, cells().title_of(name), setting, n, len(ranked), told)
