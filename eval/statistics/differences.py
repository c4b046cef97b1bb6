"""Differences of two success rates: their intervals, and tests of whether there is one."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

from eval.statistics.intervals import Interval

UNKNOWN = Interval(-1.0, 1.0)
"""Of a difference of which nothing is known."""


def newcombe(k1: float, n1: float, k2: float, n2: float, level: float = 0.95) -> Interval:
    """Interval of the difference of two independent rates, ``k1/n1 - k2/n2``, each end in -1..1.

    Newcombe's hybrid of two Wilson intervals (Statistics in Medicine 17, 1998, method 10). (-1, 1) when one was not tried.
    """
    if not n1 or not n2:
        return UNKNOWN
    from statsmodels.stats.proportion import confint_proportions_2indep  # seconds to import: only who compares pays

    low, high = confint_proportions_2indep(k1, n1, k2, n2, method="newcomb", compare="diff", alpha=1 - level)
    return Interval(float(low), float(high))


def tango(only_first: float, only_second: float, n: float, level: float = 0.95) -> Interval:
    """Interval of the difference of two rates of the same ``n`` trials (first minus second), each end in -1..1.

    The differences that a score test does not reject (Tango, Statistics in Medicine 17, 1998): it keeps its level at small
    n and where the two hardly differ, and is not of width nothing where they never do. (-1, 1) when nothing was tried.

    Args:
        only_first: trials that the first alone solved; need not be whole.
        only_second: trials that the second alone solved.
        n: all trials.
        level: of the interval.
    """
    if n == 0:
        return UNKNOWN
    from scipy.optimize import brentq  # seconds to import: only who compares pays

    z = NormalDist().inv_cdf((1 + level) / 2)
    difference = (only_first - only_second) / n

    def from_end(assumed: float, side: float) -> float:
        return _tango_score(only_first, only_second, n, assumed) + side * z

    low = -1.0 if from_end(-1.0, -1) <= 0 else float(brentq(from_end, -1.0, difference, args=(-1.0,), xtol=1e-10))
    high = 1.0 if from_end(1.0, 1) >= 0 else float(brentq(from_end, difference, 1.0, args=(1.0,), xtol=1e-10))
    return Interval(low, high)


def _tango_score(first: float, second: float, n: float, assumed: float) -> float:
    """How many standard deviations the difference is from an assumed one; falls as that grows.

    The variance is that of the likeliest rates under the assumption; ``q`` is the share solved by the second alone.
    """
    distance = first - second - n * assumed
    a, b, c = 2 * n, -first - second + (2 * n - first + second) * assumed, -second * assumed * (1 - assumed)
    q = (sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * q + assumed * (1 - assumed))
    if variance <= 0:
        return 0.0 if distance == 0 else float("inf") if distance > 0 else float("-inf")
    return distance / sqrt(variance)


def paired_difference_interval(only_first: int, only_second: int, n: int) -> Interval:
    """95 % interval of the difference of two success rates (first minus second), each end in -1..1.

    ``only_first`` and ``only_second`` of the ``n`` episodes that both played were solved by one alone. Wald's interval with
    half a trial added to each of the four outcomes (Agresti and Min, Statistics in Medicine 24, 2005): it does not shrink to
    nothing where the two never differ. (-1, 1) when nothing was tried.
    """
    if n == 0:
        return UNKNOWN
    first, second, trials = only_first + 0.5, only_second + 0.5, n + 2.0
    middle = (first - second) / trials
    half = NormalDist().inv_cdf(0.975) * sqrt((first + second) / trials - middle**2) / sqrt(trials)
    return Interval(max(-1.0, middle - half), min(1.0, middle + half))


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """p value of McNemar's exact test, two-sided: whether the episodes that one alone solved favour one of the two."""
    from statsmodels.stats.contingency_tables import mcnemar  # seconds to import: only who compares pays

    return float(mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values of several tests, enlarged such that below ``alpha`` a single false one is as rare as ``alpha`` (Holm)."""
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests  # seconds to import: only who compares pays

    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def sign_flip_exact(differences: Sequence[int]) -> float:
    """p value, two-sided, of the sum of some differences if each of them could as well have had the other sign; exact.

    Of differences of -1, 0 and 1 it is McNemar's exact test. Of sums over the trials that belong together (repeats of an
    initial state, and variants in which it comes back) it takes these sums for independent, and not the trials.
    """
    import numpy as np

    sizes = [abs(difference) for difference in differences if difference]
    reach = sum(sizes)
    chances = np.zeros(2 * reach + 1)
    chances[reach] = 1.0
    for size in sizes:  # the sum goes up or down by it, each in half of the cases
        chances = (np.roll(chances, size) + np.roll(chances, -size)) / 2
    far = abs(sum(differences))
    return float(min(1.0, chances[: reach - far + 1].sum() + chances[reach + far :].sum())) if far else 1.0


def design_effect(differences: Sequence[float], sizes: Sequence[int], changed: float) -> float:
    """How many trials of groups count as one that is independent of the others; 1 where no group has more than one.

    The variance of the mean difference between groups, as a multiple of what it were if all trials were independent; at
    least 1, and where nothing changed the mean size of a group (Rao and Scott, Biometrics 48, 1992).

    Args:
        differences: of each group the sum over its trials of first minus second; of one policy alone, its successes.
        sizes: trials of each group.
        changed: trials that one of the two alone solved; of one policy, all its successes.
    """
    groups, n = len(sizes), sum(sizes)
    if groups == n or not n:
        return 1.0
    mean = sum(differences) / n
    independent = changed / n - mean**2
    if groups == 1 or independent <= 0:
        return n / groups
    squares = sum((difference - size * mean) ** 2 for difference, size in zip(differences, sizes, strict=True))
    return max(1.0, squares / n * groups / (groups - 1) / independent)
