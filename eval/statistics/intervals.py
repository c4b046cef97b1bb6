"""Intervals of success rates."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """Two ends of which ``low`` is not above ``high``; a pair like any other."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value is within, the ends included."""
        return self.low <= value <= self.high


def wilson(successes: float, n: float, level: float = 0.95) -> Interval:
    """Wilson interval of a success rate, each end in 0..1; (0, 1) when nothing was tried.

    Neither need be whole: a mean over variants of unequal length stands for ``rate * n`` successes.
    """
    if n == 0:
        return Interval(0.0, 1.0)
    from statsmodels.stats.proportion import proportion_confint  # seconds to import: only who counts pays

    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    return Interval(float(low), float(high))
