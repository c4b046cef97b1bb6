"""Statistics of success counts, and of simulated against real success rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NORMAL_95 = 1.959964
"""Standard deviations that 95 % of a normal distribution are within."""


def wilson(successes: float, n: float) -> tuple[float, float]:
    """95 % Wilson interval of a success rate, each end in 0..1; (0, 1) when nothing was tried.

    Neither need be whole: a mean over variants of unequal length stands for ``rate * n`` successes.
    """
    if n == 0:
        return 0.0, 1.0
    from statsmodels.stats.proportion import proportion_confint  # seconds to import: only who counts pays

    low, high = proportion_confint(successes, n, alpha=0.05, method="wilson")
    return float(low), float(high)


def mean_maximum_rank_violation(simulated: Sequence[float], real: Sequence[float]) -> float:
    """MMRV: how much real success two policies differ by where simulation orders them wrongly; 0 is best.

    The rates of the same policies in the same order. Not symmetric: the size of a violation is taken from ``real``.
    """
    s, t = np.asarray(simulated, float), np.asarray(real, float)
    violated = (s[:, None] > s[None, :]) != (t[:, None] > t[None, :])
    return float(np.mean(np.max(np.abs(t[:, None] - t[None, :]) * violated, axis=1)))


def pearson(simulated: Sequence[float], real: Sequence[float]) -> float:
    """Pearson correlation as SIMPLER computes it: 0 for a constant input, and 1 if both differ by a constant."""
    s, t = np.asarray(simulated, float), np.asarray(real, float)
    s, t = s - s.mean(), t - t.mean()
    if np.all(s == t):
        return 1.0
    return float(np.sum(s * t) / (np.sqrt(np.sum(s**2) * np.sum(t**2)) + 1e-8))


def paired_difference_interval(only_first: int, only_second: int, n: int) -> tuple[float, float]:
    """95 % interval of the difference of two success rates (first minus second), each end in -1..1.

    ``only_first`` and ``only_second`` of the ``n`` episodes that both played were solved by one alone. Wald's interval with
    half a trial added to each of the four outcomes (Agresti and Min, Statistics in Medicine 24, 2005): it does not shrink to
    nothing where the two never differ. (-1, 1) when nothing was tried.
    """
    if n == 0:
        return -1.0, 1.0
    first, second, trials = only_first + 0.5, only_second + 0.5, n + 2.0
    middle = (first - second) / trials
    half = NORMAL_95 * np.sqrt((first + second) / trials - middle**2) / np.sqrt(trials)
    return float(max(-1.0, middle - half)), float(min(1.0, middle + half))


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """p value of McNemar's exact test, two-sided: whether the episodes that one alone solved favour one of the two."""
    from statsmodels.stats.contingency_tables import mcnemar  # seconds to import: only who compares pays

    return float(mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue)


class Kruskal(NamedTuple):
    """H statistic and p value."""

    statistic: float
    pvalue: float


def kruskal(simulated: float, real: float, trials: int) -> Kruskal | None:
    """Kruskal-Wallis test of two success rates, each taken as ``trials`` trials; None if they are the same trials."""
    from scipy import stats

    counts = [0 if np.isnan(rate) else round(trials * rate) for rate in (simulated, real)]
    if counts[0] == counts[1]:
        return None
    test = stats.kruskal(*([1] * count + [0] * (trials - count) for count in counts))
    return Kruskal(float(test.statistic), float(test.pvalue))
