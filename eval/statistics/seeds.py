"""The effect of a way of training, from several trainings with it and as many without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from eval.statistics.differences import paired_difference_interval
from eval.statistics.intervals import Interval


@dataclass(frozen=True)
class SeedEffect:
    """A difference of success rates, with minus without."""

    difference: float
    """-1..1, the mean over the training seeds."""
    interval: Interval
    """95 %."""
    of_seeds: tuple[float, ...]
    """The difference of each training seed."""
    placements: int
    """Initial states that each seed's pair of policies has played."""


def effect_over_seeds(with_it: Sequence[Sequence[bool]], without: Sequence[Sequence[bool]]) -> SeedEffect:
    """How much a way of training changes success, where each seed was trained with it and without.

    What one policy does on many initial states depends on its training, so its episodes count together: the interval is
    Student's over the seeds' differences, with one degree of freedom less than seeds. It is never narrower, to either side,
    than that of pairs of episodes which do not depend on each other: seeds that agree by chance prove nothing more.

    Args:
        with_it: (seeds, placements) whether the policies trained that way succeeded.
        without: the same for those trained otherwise, in the same order of seeds and of placements.

    Raises:
        ValueError: fewer than two seeds, no placements, or not as many on both sides.
    """
    rows = [*with_it, *without]
    if len(with_it) != len(without) or len(with_it) < 2:
        raise ValueError(f"two training seeds or more are needed, as many with as without: {len(with_it)} and {len(without)}")
    if not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("every policy must have played the same placements")
    from scipy.stats import t  # half a second to import

    pairs = [[bool(a) - bool(b) for a, b in zip(one, other, strict=True)] for one, other in zip(with_it, without, strict=True)]
    of_seeds = [fmean(row) for row in pairs]
    middle = fmean(of_seeds)
    half = float(t.ppf(0.975, len(of_seeds) - 1)) * stdev(of_seeds) / sqrt(len(of_seeds))
    flat = [difference for row in pairs for difference in row]
    least = paired_difference_interval(flat.count(1), flat.count(-1), len(flat))
    interval = Interval(max(-1.0, min(middle - half, least.low)), min(1.0, max(middle + half, least.high)))
    return SeedEffect(middle, interval, tuple(of_seeds), len(rows[0]))
