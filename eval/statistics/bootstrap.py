"""Intervals of means of means, by resampling the initial states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eval.statistics.intervals import Interval, wilson

RESAMPLES, SEED = 10_000, 0


def macro_interval(strata: Sequence[Sequence[float]], weights: Sequence[float] | None = None, level: float = 0.95) -> Interval:
    """Interval of a mean of the strata's means, each end in 0..1; (0, 1) when nothing was tried.

    A stratified bootstrap: of the n initial states of each stratum n - 1 are drawn, with replacement, and the ends are
    percentiles of the mean of means. One fewer than there are, because resamples as large as the sample vary too little where
    strata are small (Rao and Wu, JASA 83, 1988). The seed is fixed: the same outcomes have the same interval. Where nothing
    varies in any stratum there is nothing to resample, and it is Wilson's interval of all states.

    Args:
        strata: for each part that the mean is made of, the outcome in 0..1 of each of its initial states: the mean over
            repeats, and over variants in which the state comes back, for those are not independent. Empty ones are left out.
        weights: of the strata in the mean, above 0; None: all the same.
        level: of the interval.
    """
    given = [1.0] * len(strata) if weights is None else weights
    parts = [(np.asarray(stratum, float), weight) for stratum, weight in zip(strata, given, strict=True) if len(stratum)]
    if not parts:
        return Interval(0.0, 1.0)
    total = sum(weight for _, weight in parts)
    parts = _without_singles([(outcomes, weight / total) for outcomes, weight in parts])
    if not any(np.ptp(outcomes) for outcomes, _ in parts):
        states = sum(len(outcomes) for outcomes, _ in parts)
        return wilson(states * sum(weight * float(outcomes[0]) for outcomes, weight in parts), states, level)
    rng = np.random.default_rng(SEED)
    means = np.sum([weight * _resampled_means(outcomes, rng) for outcomes, weight in parts], axis=0)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _without_singles(parts: list[tuple[NDArray[np.float64], float]]) -> list[tuple[NDArray[np.float64], float]]:
    """A stratum of one state does not tell how much its states vary, so it is put together with the next smallest."""
    parts = sorted(parts, key=lambda part: len(part[0]))
    while len(parts) > 1 and len(parts[0][0]) == 1:
        (single, weight), (other, more), *rest = parts
        parts = sorted([(np.concatenate([single, other]), weight + more), *rest], key=lambda part: len(part[0]))
    return parts


def _resampled_means(outcomes: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Means of ``RESAMPLES`` resamples; how often each outcome is drawn is multinomial."""
    values, counts = np.unique(outcomes, return_counts=True)
    drawn = max(1, len(outcomes) - 1)
    return np.asarray(rng.multinomial(drawn, counts / len(outcomes), size=RESAMPLES) @ values / drawn)
