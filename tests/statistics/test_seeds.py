"""The effect over training seeds, beside a regression with standard errors clustered by seed."""

from __future__ import annotations

import numpy as np
import pytest

from eval.statistics.differences import paired_difference_interval
from eval.statistics.seeds import effect_over_seeds


def played(seed: int, rates: list[float], placements: int = 40) -> list[list[bool]]:
    dice = np.random.default_rng(seed)
    return [(dice.random(placements) < rate).tolist() for rate in rates]


def test_it_is_the_interval_of_a_regression_clustered_by_seed() -> None:
    import statsmodels.api as sm

    with_it, without = played(0, [0.9, 0.5, 0.7, 0.2]), played(1, [0.2, 0.4, 0.1, 0.3])
    effect = effect_over_seeds(with_it, without)
    differences = (np.array(with_it, float) - np.array(without, float)).ravel()
    groups = np.repeat(np.arange(4), 40)
    fitted = sm.OLS(differences, np.ones(160)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    assert effect.difference == pytest.approx(fitted.params[0])
    assert effect.interval == pytest.approx(fitted.conf_int()[0], abs=1e-9)
    assert effect.of_seeds == pytest.approx(differences.reshape(4, 40).mean(1))
    assert effect.placements == 40


def test_seeds_that_agree_by_chance_prove_no_more_than_their_episodes() -> None:
    nothing = effect_over_seeds([[False] * 100] * 3, [[False] * 100] * 3)
    assert nothing.interval == paired_difference_interval(0, 0, 300)
    assert nothing.interval.low < 0 < nothing.interval.high
    alike = effect_over_seeds([[True] * 10 + [False] * 90] * 3, [[False] * 100] * 3)
    assert alike.difference == pytest.approx(0.1)
    assert alike.interval == paired_difference_interval(30, 0, 300)


def test_what_is_not_paired_is_refused() -> None:
    with pytest.raises(ValueError, match="two training seeds"):
        effect_over_seeds([[True]], [[False]])
    with pytest.raises(ValueError, match="same placements"):
        effect_over_seeds([[True], [True]], [[False], [False, True]])
