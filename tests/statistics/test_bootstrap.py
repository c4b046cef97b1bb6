"""Intervals of means of means."""

from __future__ import annotations

import numpy as np
import pytest

from eval.statistics.bootstrap import macro_interval
from eval.statistics.intervals import wilson


def test_edges() -> None:
    assert macro_interval([]) == macro_interval([[]]) == (0.0, 1.0)
    assert macro_interval([[0.0] * 10]) == wilson(0, 10)
    assert macro_interval([[1.0], [1.0]]) == wilson(2, 2)
    assert macro_interval([[1.0]]) == wilson(1, 1)


def test_same_outcomes_have_the_same_interval() -> None:
    strata = [[1.0, 0.0, 1.0], [0.0, 0.5, 1.0, 1.0]]
    assert macro_interval(strata) == macro_interval(strata)


def test_one_stratum_agrees_with_scipy() -> None:
    from scipy.stats import bootstrap

    outcomes = np.random.default_rng(3).uniform(size=60) < 0.7
    theirs = bootstrap((outcomes.astype(float),), np.mean, method="percentile", random_state=1).confidence_interval
    assert macro_interval([list(outcomes.astype(float))]) == pytest.approx(tuple(theirs), abs=0.02)


def test_the_width_is_that_of_the_stratified_variance() -> None:
    """Mean of means: sum of w^2 s^2 / n, whatever the sizes; the weights are those of the mean."""
    rng = np.random.default_rng(5)
    strata = [list((rng.uniform(size=n) < rate).astype(float)) for n, rate in ((75, 0.7), (60, 0.6), (20, 0.3), (400, 0.5))]
    for weights in (None, [1, 1, 4, 2]):
        shares = np.asarray(weights or [1, 1, 1, 1]) / sum(weights or [1, 1, 1, 1])
        error = sum(w**2 * np.var(part, ddof=1) / len(part) for w, part in zip(shares, strata, strict=True)) ** 0.5
        low, high = macro_interval(strata, weights)
        assert high - low == pytest.approx(2 * 1.96 * error, rel=0.06)
        assert (low + high) / 2 == pytest.approx(
            sum(w * np.mean(part) for w, part in zip(shares, strata, strict=True)), abs=0.02
        )


def test_parts_of_one_state_each_are_taken_together() -> None:
    """A state alone does not tell how much others of its kind vary; the interval must not shrink to nothing."""
    low, high = macro_interval([[1.0], [0.0], [1.0], [0.0], [1.0], [1.0]])
    assert low < 0.4
    assert high > 0.9
