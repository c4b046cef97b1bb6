"""How often each interval holds the truth, by simulation; the table is in docs/statistics.md.

``python tests/statistics/test_coverage.py`` prints that table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.statistics.bootstrap import macro_interval
from eval.statistics.differences import design_effect, newcombe, tango
from eval.statistics.intervals import Interval, wilson

Strata = list[tuple[int, float]]
MACRO: dict[str, Strata] = {
    "4 x 24, all 0.5": [(24, 0.5)] * 4,
    "4 x 24, all 0.05": [(24, 0.05)] * 4,
    "4 x 24: 0, 0, 0.3, 0": [(24, 0.0), (24, 0.0), (24, 0.3), (24, 0.0)],
    "75, 60, 54, 27 states: 0.7, 0.6, 0.3, 0.1": [(75, 0.7), (60, 0.6), (54, 0.3), (27, 0.1)],
    "100 and 10 states: 0.9, 0.3": [(100, 0.9), (10, 0.3)],
    "27 x 4, all 0.2": [(4, 0.2)] * 27,
}
RATES = [(24, 0.05), (24, 0.5), (300, 0.02), (300, 0.9)]
PAIRS = [(24, 0.05, 0.05), (24, 0.4, 0.1), (300, 0.02, 0.01), (300, 0.2, 0.1)]
"""n, share that the first alone solves, share that the second alone does."""
LOOKS = [(75, 4, 0.5, 0.3), (75, 4, 0.5, 0.7), (75, 4, 0.1, 0.3), (25, 4, 0.5, 0.7), (25, 14, 0.5, 0.3), (9, 4, 0.5, 0.7)]
"""Initial states, looks of each, rate, and how alike the looks of one state end (intraclass correlation)."""


def share(holds: list[bool]) -> float:
    return float(np.mean(holds))


def macro(strata: Strata, times: int, interval: Callable[[list[NDArray[np.float64]]], Interval]) -> float:
    rng = np.random.default_rng(len(strata))
    truth = float(np.mean([rate for _, rate in strata]))
    draws = ([(rng.uniform(size=n) < rate).astype(float) for n, rate in strata] for _ in range(times))
    return share([interval(parts).holds(truth) for parts in draws])


def bootstrapped(parts: list[NDArray[np.float64]]) -> Interval:
    return macro_interval([list(part) for part in parts])


def pooled_wilson(parts: list[NDArray[np.float64]]) -> Interval:
    """Of the mean of means as if it were a rate of all states: what a table would print without further thought."""
    states = sum(map(len, parts))
    return wilson(float(np.mean([part.mean() for part in parts])) * states, states)


def of_wilson(n: int, rate: float, times: int) -> float:
    counts = np.random.default_rng(n).binomial(n, rate, size=times)
    ends = {int(k): wilson(int(k), n) for k in np.unique(counts)}
    return share([ends[int(k)].holds(rate) for k in counts])


def of_newcombe(n: int, first: float, second: float, times: int) -> float:
    """Of two independent policies."""
    rng = np.random.default_rng(n)
    rates = 0.5 + first, 0.5 + second
    draws = zip(*(rng.binomial(n, rate, size=times) for rate in rates), strict=True)
    return share([newcombe(int(a), n, int(b), n).holds(first - second) for a, b in draws])


def of_tango(n: int, first: float, second: float, times: int) -> float:
    counts = np.random.default_rng(n).multinomial(n, [first, second, 1 - first - second], size=times)
    return share([tango(int(a), int(b), n).holds(first - second) for a, b, _ in counts])


def of_grouped_tango(states: int, times: int) -> float:
    """Four looks of each state, of which some favour one policy and some the other."""
    rng = np.random.default_rng(states)
    holds = []
    for _ in range(times):
        lean = rng.choice([-0.4, 0.0, 0.5], size=(states, 1), p=[0.3, 0.4, 0.3])
        outcomes = np.sign(lean) * (rng.uniform(size=(states, 4)) < np.abs(lean)).astype(int)
        a, b = int((outcomes > 0).sum()), int((outcomes < 0).sum())
        effect = design_effect(list(outcomes.sum(axis=1)), [4] * states, a + b)
        holds.append(tango(a / effect, b / effect, 4 * states / effect).holds(0.3 * 0.5 - 0.3 * 0.4))
    return share(holds)


def of_looks(states: int, looks: int, rate: float, likeness: float, times: int) -> tuple[float, float]:
    """Wilson's with the design effect, and without: initial states whose rates vary (beta), each shown in several looks."""
    rng = np.random.default_rng(states)
    scale = (1 - likeness) / likeness
    holds = []
    for _ in range(times):
        wins = rng.binomial(looks, rng.beta(rate * scale, (1 - rate) * scale, size=states))
        k, n = int(wins.sum()), states * looks
        effect = design_effect(wins.tolist(), [looks] * states, k)
        holds.append((wilson(k / effect, n / effect).holds(rate), wilson(k, n).holds(rate)))
    return share([with_effect for with_effect, _ in holds]), share([without for _, without in holds])


@pytest.mark.slow
def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    for name, strata in MACRO.items():
        assert macro(strata, 1000, bootstrapped) >= 0.91, name
    for n, rate in RATES:
        assert of_wilson(n, rate, 4000) >= 0.925, (n, rate)
    for n, first, second in PAIRS:
        assert of_tango(n, first, second, 1000) >= 0.925, (n, first, second)
        assert of_newcombe(n, first, second, 1000) >= 0.93, (n, first, second)
    assert 0.93 <= of_grouped_tango(75, 1000) <= 0.97
    for states, looks, rate, likeness in LOOKS:
        assert of_looks(states, looks, rate, likeness, 1000)[0] >= 0.9, (states, looks, rate, likeness)


def test_a_pooled_interval_of_unequal_cells_does_not() -> None:
    """Why averages are resampled: 100 and 10 states with the same weight are no rate of 110 states."""
    strata = MACRO["100 and 10 states: 0.9, 0.3"]
    assert macro(strata, 300, pooled_wilson) < 0.85
    assert macro(strata, 300, bootstrapped) > 0.9


def rows() -> Iterator[str]:
    """Of the table."""
    for name, strata in MACRO.items():
        yield f"| {name} | {100 * macro(strata, 1000, bootstrapped):.1f} | {100 * macro(strata, 1000, pooled_wilson):.1f} |"
    for n, rate in RATES:
        yield f"| Wilson, n = {n}, rate {rate} | {100 * of_wilson(n, rate, 20000):.1f} |"
    for n, first, second in PAIRS:
        yield f"| Tango, n = {n}, alone {first} and {second} | {100 * of_tango(n, first, second, 2000):.1f} |"
        rates = f"{0.5 + first:g} and {0.5 + second:g}"
        yield f"| Newcombe, n = {n} each, {rates} | {100 * of_newcombe(n, first, second, 2000):.1f} |"
    for states, looks, rate, likeness in LOOKS:
        with_effect, without = of_looks(states, looks, rate, likeness, 2000)
        yield f"| {states} x {looks}, {rate}, {likeness} | {100 * with_effect:.1f} | {100 * without:.1f} |"
    yield f"| Tango of 75 states in 4 variants each | {100 * of_grouped_tango(75, 2000):.1f} |"


@pytest.mark.slow
def test_the_page_has_the_rows_that_come_out() -> None:
    page = Path(__file__).parents[2].joinpath("docs/statistics.md").read_text(encoding="utf-8")
    for row in rows():
        name, *numbers = (cell.strip() for cell in row.strip("|").split("|"))
        (found,) = re.findall(rf"^\| {re.escape(name)} \| (.*) \|$", page, re.MULTILINE)
        assert [float(number) for number in numbers] == pytest.approx([float(each) for each in found.split("|")], abs=0.11)


if __name__ == "__main__":
    print(*rows(), sep="\n")
