"""Two or more policies on the same initial states: what may be said, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from eval.comparison.comparison import ALPHA, compare_runs
from eval.comparison.counts import Paired
from eval.comparison.wording import verdict
from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.header import AssetsRecord, WorldRecord
from eval.records.merging import judged
from eval.statistics.differences import tango
from eval.statistics.power import smallest_difference

CARROT, CUBE, CAN = "widowx_carrot_on_plate", "widowx_stack_cube", "google_robot_pick_coke_can"


def sentences(*runs, **options):
    comparison = compare_runs(runs, **options)
    return [verdict(comparison, against) for against in comparison.others]


def test_a_known_difference_is_counted_and_called_better(play, plan):
    a = play("a", plan, "s" * 10 + "f" * 14 + "s" * 2 + "f" * 22)
    b = play("b", plan, "f" * 2 + "s" * 22 + "f" * 1 + "s" * 23, policy="oracle")
    comparison = compare_runs([a, b])
    (against,) = comparison.others
    whole = against.whole
    assert (whole.n, whole.states, whole.both, whole.only_reference, whole.only_other) == (48, 48, 9, 3, 36)
    assert whole.difference == pytest.approx(33 / 48)
    assert whole.interval() == tango(36, 3, 48)
    assert whole.p == pytest.approx(binomtest(3, 39).pvalue)
    assert [(cell.name, cell.only_reference, cell.only_other) for cell in against.cells] == [
        ("Carrot on Plate", 2, 14), ("Stack Cube", 1, 22),
    ]  # fmt: skip
    ps = sorted(binomtest(k, n).pvalue for k, n in ((2, 16), (1, 23)))
    assert sorted(against.cell_ps) == pytest.approx([2 * ps[0], ps[1]])
    assert len(against.changes) == 39
    assert sum(change.other.success for change in against.changes) == 36
    (said,) = sentences(a, b)
    assert said.startswith("oracle is better than random: +68.8 points (")
    assert said.endswith("on 48 initial states; McNemar's exact test over episodes, p < 0.0001.")
    (said,) = sentences(b, a)
    assert said.startswith("random is worse than oracle: -68.8 points (")


def test_what_the_test_does_not_reject_is_never_called_better(play, plan):
    a, b = play("a", plan, "s" * 10 + "f" * 38), play("b", plan, "f" * 1 + "s" * 15 + "f" * 32, policy="oracle")
    (said,) = sentences(a, b)
    assert said.startswith("oracle and random cannot be told apart: +10.4 points (95 % interval ")
    assert "would have been detected with 80 % power" in said
    assert "better" not in said
    few = make_plan(tasks=[CARROT], limit=5)
    (said,) = sentences(play("c", few, "fffff"), play("d", few, "sssss", policy="oracle"))
    assert said.endswith("on 5 initial states; so few cannot show any difference.")


def test_repeats_of_an_initial_state_are_one(play):
    few = make_plan(tasks=[CARROT], limit=6)
    a, b = play("a", few, "ffffff", repeat=4), play("b", few, "ssssss", policy="oracle", repeat=4)
    whole = compare_runs([a, b]).others[0].whole
    assert (whole.n, whole.states, whole.independent) == (24, 6, 6.0)
    assert whole.p == pytest.approx(2 / 2**6)  # six signs, not 24
    assert whole.p_of_episodes == pytest.approx(2 / 2**24)
    assert "on 6 initial states (24 episodes)" in sentences(a, b)[0]


def test_arm_colours_show_the_same_initial_state_again(play):
    plan = [spec for spec in make_plan(tasks=[CAN]) if spec.index < 3]  # 3 orientations, 4 arm colours, 3 places
    against = compare_runs([play("a", plan), play("b", plan, policy="oracle")]).others[0]
    assert (against.whole.n, against.whole.states) == (36, 9)
    assert [cell.name for cell in against.cells] == ["Horizontal Coke Can", "Standing Coke Can", "Vertical Coke Can"]


def test_of_several_policies_each_test_is_holms(play, plan):
    a = play("a", plan, "f" * 48)
    b = play("b", plan, "s" * 6 + "f" * 42, policy="oracle")  # p = 2 / 2^6 = 0.031 alone, 0.063 beside another
    c = play("c", plan, "f" * 48, policy_args={"seed": "1"})
    assert [other.p for other in compare_runs([a, b, c]).others] == pytest.approx([2 * 2 / 2**6, 1.0])
    assert "cannot be told apart" in sentences(a, b, c)[0]
    assert "is better than" in sentences(a, b)[0]


def test_what_errored_or_was_not_played_is_left_out_of_both_and_counted(play, plan):
    a, b = play("a", plan, "e" + "s" * 47), play("b", plan, "s" * 40 + "-" * 8, policy="oracle")
    against = compare_runs([a, b]).others[0]
    assert against.whole.n == 39
    assert against.left_out.text == "1 errored in one of them, 8 not played in one of them"


def test_runs_of_different_plans_say_what_they_share(play, plan):
    a, b = play("a", plan), play("b", plan[:30], policy="oracle")
    with pytest.raises(UserError, match=r"different plans: 48 and 30 episodes, 30 in common; .* --common"):
        compare_runs([a, b])
    against = compare_runs([a, b], common=True).others[0]
    assert (against.whole.n, against.left_out.foreign) == (30, 18)
    with pytest.raises(UserError, match=r"have no episode in common"):
        compare_runs([a, play("c", make_plan(tasks=[CAN], limit=2))], common=True)


def test_other_worlds_files_and_settings_are_refused(play, plan):
    a = play("a", plan)
    with pytest.raises(UserError, match="compare runs of the same world"):
        compare_runs([a, play("b", plan, world="shutil")])
    packs = [WorldRecord(name="w", assets=AssetsRecord(stand_ins=(), files={"plate.glb": text})) for text in ("x", "y")]
    runs = [
        play(f"pack{n}", part, recorded=world) for n, (part, world) in enumerate(zip((plan, plan[:30]), packs, strict=True))
    ]
    with pytest.raises(UserError, match=r"asset plate\.glb"):
        compare_runs(runs, common=True)
    with pytest.raises(UserError, match="max_steps"):
        compare_runs([a, play("c", make_plan(tasks=[CARROT, CUBE], max_steps=7))])
    with pytest.raises(UserError, match="two runs at least"):
        compare_runs([a])
    with pytest.raises(UserError, match="--success last or any"):
        compare_runs([a, judged(play("d", plan), "any")])
    with pytest.raises(UserError, match="No episode has a verdict in both"):
        compare_runs([a, play("e", plan, "e" * 48)])


def paired(rng, n, reference, other):
    """Two policies that succeed regardless of each other on n initial states."""
    a, b = rng.uniform(size=n) < reference, rng.uniform(size=n) < other
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    sums = (1,) * only_b + (-1,) * only_a + (0,) * (n - only_a - only_b)
    return Paired("all", n, int((a & b).sum()), only_a, only_b, sums, (1,) * n)


def test_planted_differences_are_found_as_often_as_the_page_says_and_false_ones_as_rarely():
    """300 initial states: of a difference that the page calls detectable 4 of 5 comparisons say "better"."""
    rng = np.random.default_rng(7)
    difference = smallest_difference(300)
    planted = [paired(rng, 300, 0.5 - difference / 2, 0.5 + difference / 2) for _ in range(200)]
    found = np.mean([each.p <= ALPHA and each.difference > 0 for each in planted])
    assert found == pytest.approx(0.8, abs=0.08)
    said = np.median([each.smallest() for each in (paired(rng, 300, 0.5, 0.5) for _ in range(5))])
    assert said == pytest.approx(difference, abs=0.012)  # what a page without a difference calls detectable
    false = np.mean([paired(rng, 300, 0.5, 0.5).p <= ALPHA for _ in range(500)])
    assert false <= ALPHA + 0.02


def test_false_differences_are_rare_where_states_come_back():
    """Policies that are equally good, each at home in other states, which 4 arm colours show: McNemar over episodes errs."""
    rng = np.random.default_rng(3)
    tests = {"states": [], "episodes": []}
    for _ in range(300):
        lean = rng.choice([-1, 1], size=40) * (rng.uniform(size=40) < 0.5)
        sums = tuple(int(s) for s in 4 * lean)
        won, lost = int((lean > 0).sum()) * 4, int((lean < 0).sum()) * 4
        counted = Paired("all", 160, 0, lost, won, sums, (4,) * 40)
        tests["states"].append(counted.p <= ALPHA)
        tests["episodes"].append(counted.p_of_episodes <= ALPHA)
    assert np.mean(tests["states"]) <= ALPHA + 0.03
    assert np.mean(tests["episodes"]) > 0.2
