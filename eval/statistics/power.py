"""What a comparison of two policies on the same initial states can show, and how many it needs."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05
"""Of the two-sided test, unless another is named."""
MOST = 10_000_000
"""Initial states beyond which nobody will go."""


def power_of(difference: float, n: int, changed: float, alpha: float = ALPHA) -> float:
    """How often McNemar's exact test finds a difference, 0..1; exact, no simulation.

    Args:
        difference: of the two success rates, 0..1.
        n: initial states that both policies play once.
        changed: share of them that one alone solves, at least ``difference``.
        alpha: level of the two-sided test.
    """
    from scipy.stats import binom  # seconds to import: only who plans pays

    changed = min(1.0, max(changed, difference))
    if changed == 0 or n == 0:
        return 0.0
    spread = 8 * np.sqrt(n * changed * (1 - changed)) + 8  # beyond, there is less than 1e-14
    discordant = np.arange(max(0, int(n * changed - spread)), min(n, int(n * changed + spread)) + 1)
    fewest = _fewest_of_one(discordant, alpha)  # rejected if the smaller side has at most so many
    better = min(1.0, (changed + difference) / (2 * changed))
    found = binom.cdf(fewest, discordant, better) + binom.sf(discordant - fewest - 1, discordant, better)
    return float(np.clip(np.sum(binom.pmf(discordant, n, changed) * np.where(fewest < 0, 0.0, found)), 0.0, 1.0))


def _fewest_of_one(discordant: NDArray[np.int64], alpha: float) -> NDArray[np.float64]:
    """Largest k with ``2 * P(X <= k) <= alpha`` for X of a fair coin thrown so often; -1 where there is none."""
    from scipy.stats import binom

    k = binom.ppf(alpha / 2, discordant, 0.5)  # smallest k with P(X <= k) >= alpha / 2
    return np.asarray(np.where(2 * binom.cdf(k, discordant, 0.5) <= alpha, k, k - 1))


def changed_by_chance(difference: float, rate: float = 0.5) -> float:
    """Share of initial states that one policy alone solves, if it solves each regardless of the other.

    ``rate`` is the mean of both rates; where it leaves no room for the difference, the nearest that does is taken.
    """
    rate = min(max(rate, difference / 2), 1 - difference / 2)
    low, high = rate - difference / 2, rate + difference / 2
    return low * (1 - high) + high * (1 - low)


@cache
def smallest_difference(
    n: int, rate: float = 0.5, power: float = 0.8, stray: float | None = None, alpha: float = ALPHA
) -> float | None:
    """The smallest difference of two policies on the same initial states that is found with a ``power``; None if none is.

    Args:
        n: initial states.
        rate: mean of both success rates.
        power: how often it is to be found.
        stray: share of the initial states that change although neither policy is better, as many one way as the other, where
            it is known; the difference comes on top. None: the two succeed regardless of each other, which is the worse
            case unless one does well where the other fails.
        alpha: level of the two-sided test (McNemar's exact one).
    """
    low, high = 0.0, 1.0
    if _found(high, n, rate, stray, alpha) < power:
        return None
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if _found(middle, n, rate, stray, alpha) >= power else (middle, high)
    return high


@cache
def episodes_needed(
    difference: float, rate: float = 0.5, power: float = 0.8, stray: float | None = None, alpha: float = ALPHA
) -> int | None:
    """How many initial states a difference needs in order to be found with a ``power``; None if more than ``MOST``.

    Arguments as of :func:`smallest_difference`.
    """
    if difference <= 0:
        return None
    low, high = 0, 8
    while _found(difference, high, rate, stray, alpha) < power:
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _found(difference, middle, rate, stray, alpha) >= power else (middle, high)
    return high


def _found(difference: float, n: int, rate: float, stray: float | None, alpha: float) -> float:
    return power_of(difference, n, changed_by_chance(difference, rate) if stray is None else stray + difference, alpha)
