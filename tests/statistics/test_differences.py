"""Intervals and tests of differences against published worked examples and independent formulas."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from eval.statistics.differences import (
    design_effect,
    holm,
    mcnemar_exact,
    newcombe,
    paired_difference_interval,
    sign_flip_exact,
    tango,
)


@pytest.mark.parametrize(
    ("only_first", "only_second", "n", "ends"),
    [
        (1, 7, 21, (-0.517, -0.026)),  # Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014): airways, 21 children
        (0, 1, 44, (-0.118, 0.059)),  # Tango, Statistics in Medicine 17 (1998): disinfection of lenses, 44 patients
        (86, 150, 1600, (-0.059, -0.021)),  # Agresti and Min, Statistics in Medicine 24 (2005): approval, 1600 people
    ],
)
def test_tango_agrees_with_published_examples(only_first: int, only_second: int, n: int, ends: tuple[float, float]) -> None:
    assert tango(only_first, only_second, n) == pytest.approx(ends, abs=5e-4)


def quartic(only_first: int, only_second: int, n: int) -> list[float]:
    """Differences at which Tango's score is the quantile squared, from the polynomial that the squared score comes to.

    With the likeliest share q out of its quadratic equation, score^2 = z^2 is R(D) + S(D) sqrt(T(D)) = 0, so R^2 = S^2 T.
    """
    from numpy.polynomial import Polynomial

    d, z2 = Polynomial([0, 1]), norm.ppf(0.975) ** 2
    b, c = -(only_first + only_second) + (2 * n - only_first + only_second) * d, -only_second * d * (1 - d)
    t = b**2 - 8 * n * c
    r = (only_first - only_second - n * d) ** 2 - z2 * (-b / 2 + n * d * (1 - d))
    roots = (r**2 - (z2 / 2) ** 2 * t).roots()
    real = [root.real for root in roots if abs(root.imag) < 1e-6 and -1 <= root.real <= 1]
    return [root for root in real if abs(r(root) - z2 / 2 * max(0.0, t(root)) ** 0.5) < 1e-6 * n * n]


def test_tango_is_a_root_of_the_polynomial_form() -> None:
    """An independent way: no search, the squared score's roots."""
    for n, share in product((5, 21, 300), ((0.1, 0.3), (0.02, 0.2), (0.4, 0.4))):
        first, second = (max(1, round(n * part)) for part in share)
        ends = tango(first, second, n)
        roots = quartic(first, second, n)
        for end in ends:
            assert min(abs(end - root) for root in roots) < 1e-5, (n, first, second, ends, roots)


def test_edges_of_paired_intervals() -> None:
    assert tango(0, 0, 0) == paired_difference_interval(0, 0, 0) == (-1.0, 1.0)
    low, high = tango(0, 0, 10)
    assert -low == pytest.approx(high)
    assert high == pytest.approx(1.959964**2 / (10 + 1.959964**2), abs=1e-6)
    assert tango(10, 0, 10).high == 1.0
    assert tango(0, 10, 10).low == -1.0
    for only_first, only_second, n in ((1, 0, 1), (0, 1, 1), (0, 0, 1), (3, 3, 6), (0, 4, 9)):
        low, high = tango(only_first, only_second, n)
        assert -1 <= low <= (only_first - only_second) / n <= high <= 1
        assert tango(only_second, only_first, n) == pytest.approx((-high, -low), abs=1e-7)


def test_newcombe_agrees_with_his_examples() -> None:
    """Statistics in Medicine 17 (1998), table II, method 10."""
    assert newcombe(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert newcombe(9, 10, 3, 10) == pytest.approx((0.1705, 0.8090), abs=1e-4)
    assert newcombe(10, 10, 0, 10) == pytest.approx((0.6075, 1.0), abs=1e-4)
    assert newcombe(0, 0, 3, 10) == (-1.0, 1.0)


def test_mcnemar_is_the_sign_test_of_what_changed() -> None:
    for only_first, only_second in ((6, 1), (0, 9), (5, 5), (40, 20)):
        expected = binomtest(only_first, only_first + only_second).pvalue
        assert mcnemar_exact(only_first, only_second) == pytest.approx(expected)
    assert mcnemar_exact(0, 0) == 1.0


def test_holm_by_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5]) == [0.5]
    assert holm([]) == []
    ordered = np.sort(np.random.default_rng(1).uniform(size=12) ** 3)
    expected = np.minimum(1, np.maximum.accumulate(ordered * np.arange(12, 0, -1)))
    assert holm(list(ordered)) == pytest.approx(list(expected))


def test_flipping_signs_of_single_trials_is_mcnemar() -> None:
    for only_first, only_second in ((6, 1), (0, 9), (5, 5), (40, 20), (0, 0)):
        differences = [1] * only_first + [-1] * only_second + [0] * 7
        assert sign_flip_exact(differences) == pytest.approx(mcnemar_exact(only_first, only_second))


def test_flipping_signs_of_groups_counts_every_pattern_of_signs() -> None:
    differences = [3, -1, 2, 2, 0, -1, 1]
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in product((-1, 1), repeat=7)]
    expected = sum(value >= abs(sum(differences)) for value in sums) / len(sums)
    assert sign_flip_exact(differences) == pytest.approx(expected)


def test_what_belongs_together_counts_less() -> None:
    """The same trial four times is one; four independent trials are four."""
    rng = np.random.default_rng(0)
    same = 4 * rng.choice([-1, 0, 0, 1], size=4000)
    assert design_effect(list(same), [4] * 4000, int(abs(same).sum())) == pytest.approx(4, rel=0.01)
    each = rng.choice([-1, 0, 0, 1], size=(4000, 4))
    assert design_effect(list(each.sum(axis=1)), [4] * 4000, int(abs(each).sum())) == pytest.approx(1, abs=0.05)
    assert design_effect([1, 0, -1], [1, 1, 1], 2) == 1.0
    assert design_effect([0, 0], [4, 4], 0) == 4.0
    assert design_effect([], [], 0) == 1.0
