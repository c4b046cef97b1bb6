"""Variants that show one initial state again are not independent, and no interval of a rate takes them for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from scripted_runs import scripted_run

from eval.plan.suites import make_plan
from eval.records.aggregation import aggregate
from eval.records.independence import independent
from eval.records.means import task_means
from eval.records.results import by_episode
from eval.records.states import state_of
from eval.records.tables import summary
from eval.records.tallies import succeeded

CAN, CARROT = "google_robot_pick_coke_can", "widowx_carrot_on_plate"


def wilson(rate, n):
    z = norm.ppf(0.975)
    middle, half = rate + z * z / 2 / n, z * (rate * (1 - rate) / n + z * z / 4 / n / n) ** 0.5
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


@pytest.fixture(scope="module")
def can():
    """300 episodes: 75 initial states in 4 arm colours."""
    return make_plan(tasks=[CAN])


def of_states(plan, solved):
    """Letters of a run in which an initial state ends alike in every variant."""
    states = list(dict.fromkeys(map(state_of, plan)))
    return "".join("s" if states.index(state_of(spec)) < solved else "f" for spec in plan)


def test_states_that_end_alike_in_all_looks_count_once(can, tmp_path):
    run = scripted_run(tmp_path / "run", can, of_states(can, 30))
    total = summary(run.plan, run.records).iloc[-1]
    assert (total["n"], total["successes"], total["rate"]) == (300, 120, pytest.approx(0.4))
    assert total["independent"] == pytest.approx(74), "75 states, of which one pays for not knowing their spread"
    assert (total["low"], total["high"]) == pytest.approx(wilson(0.4, 74))
    cell = next(row for row in aggregate(run.plan, run.records) if row.kind == "cell")
    assert cell.interval == pytest.approx(wilson(0.4, 74))
    (mean,) = task_means(run.plan, run.records, succeeded)
    assert mean.interval == pytest.approx(wilson(0.4, 74))
    variant = summary(run.plan, run.records).iloc[0]
    assert variant["independent"] == variant["n"] == 25


def test_looks_that_have_nothing_to_do_with_each_other_count_each(can, tmp_path):
    letters = "".join("s" if (spec.index + 7 * k) % 4 < 2 else "f" for k, spec in enumerate(can))
    run = scripted_run(tmp_path / "run", can, letters)
    assert 200 < independent(run.plan, by_episode(run.records), succeeded) <= 300
    none = scripted_run(tmp_path / "none", can, "f" * 300)
    assert independent(none.plan, by_episode(none.records), succeeded) == 75, "nothing tells how alike they are"


def test_repeats_count_once(tmp_path):
    plan = make_plan(tasks=[CARROT], limit=6)
    run = scripted_run(tmp_path / "run", plan, "ssffff", repeat=3)
    row = summary(run.plan, run.records, repeats=3).iloc[0]
    assert (row["n"], row["independent"], row["low"]) == (18, 6, pytest.approx(wilson(2 / 6, 6)[0]))


def test_the_interval_of_a_cell_holds_the_truth():
    """75 states in 4 looks each; the rate of a state varies, as it does in a grid of places of which some are easy."""
    from eval.statistics.differences import design_effect

    rng = np.random.default_rng(0)
    holds, naive, times = 0, 0, 1500
    for _ in range(times):
        wins = rng.binomial(4, rng.beta(0.5, 0.75, size=75))
        effect = design_effect(wins.tolist(), [4] * 75, int(wins.sum()))
        rate = wins.sum() / 300
        low, high = wilson(rate, 300 / effect)
        holds += low <= 0.4 <= high
        low, high = wilson(rate, 300)
        naive += low <= 0.4 <= high
    assert 0.925 < holds / times < 0.975
    assert naive / times < 0.85, "why there is a design effect"
