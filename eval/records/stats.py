"""Statistics of success counts."""

from __future__ import annotations


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % Wilson interval of a success rate, each end in 0..1; (0, 1) when nothing was tried."""
    if n == 0:
        return 0.0, 1.0
    from statsmodels.stats.proportion import proportion_confint  # seconds to import: only who counts pays

    low, high = proportion_confint(successes, n, alpha=0.05, method="wilson")
    return float(low), float(high)
