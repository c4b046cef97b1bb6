"""Whether a simulation ranks policies as reality does: their success rates in both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


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
