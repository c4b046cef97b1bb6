"""What a comparison can show, against simulation and the normal approximation."""

from __future__ import annotations

import numpy as np
import pytest

from eval.statistics.differences import mcnemar_exact
from eval.statistics.power import changed_by_chance, episodes_needed, power_of, smallest_difference


@pytest.mark.parametrize(("n", "rate"), [(25, 0.5), (300, 0.5), (300, 0.9)])
def test_the_smallest_difference_is_found_as_often_as_it_says(n: int, rate: float) -> None:
    """Simulated comparisons with the planted difference: McNemar rejects in 4 of 5."""
    difference = smallest_difference(n, rate)
    assert difference is not None
    rng = np.random.default_rng(n)
    first = rng.uniform(size=(3000, n)) < rate + difference / 2
    second = rng.uniform(size=(3000, n)) < rate - difference / 2
    counts = zip((first & ~second).sum(axis=1), (second & ~first).sum(axis=1), strict=True)
    found = np.mean([mcnemar_exact(int(a), int(b)) <= 0.05 for a, b in counts])
    assert found == pytest.approx(0.8, abs=0.03)


def test_power_without_a_difference_is_at_most_alpha() -> None:
    for n in (10, 25, 300):
        for changed in (0.02, 0.2, 0.8):
            assert power_of(0.0, n, changed) <= 0.05
    assert power_of(0.2, 0, 0.5) == 0.0


def test_episodes_needed_is_what_the_smallest_difference_has() -> None:
    for n in (50, 300, 2952):
        difference = smallest_difference(n)
        assert difference is not None
        needed = episodes_needed(difference)
        assert needed is not None
        assert 0.9 * n <= needed <= n
    normal = (1.959964 * 0.5**0.5 + 0.8416 * (0.5 - 0.05**2) ** 0.5) ** 2 / 0.05**2  # Miettinen 1968, without continuity
    assert episodes_needed(0.05) == pytest.approx(normal, rel=0.05)


def test_what_cannot_be_found() -> None:
    assert smallest_difference(0) is None
    assert smallest_difference(5) is None
    assert smallest_difference(6) is not None
    assert episodes_needed(0.0) is None
    assert episodes_needed(1e-6) is None
    assert changed_by_chance(0.2, rate=0.95) == changed_by_chance(0.2, rate=0.9) == pytest.approx(0.2)
