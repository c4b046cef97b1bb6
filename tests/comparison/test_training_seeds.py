"""Runs of several training seeds, paired by placement."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_runs import made_up_run

from eval.comparison.training_seeds import compare_trainings
from eval.errors import UserError


def test_runs_are_paired_by_placement_and_what_errored_in_one_is_left_out_of_all(make_spec, tmp_path: Path) -> None:
    plan = [make_spec(index) for index in range(20)]
    ours = [made_up_run(tmp_path / f"ours-{n}", plan, seed=n, rate=0.8, filmed=False, errors=("x",) * n) for n in range(3)]
    theirs = [made_up_run(tmp_path / f"theirs-{n}", plan, seed=9 + n, rate=0.3, filmed=False) for n in range(3)]
    effect = compare_trainings(ours, theirs)
    assert effect.placements == 18
    for one, other, difference in zip(ours, theirs, effect.of_seeds, strict=True):
        solved = [sum(run.record(spec.id, 0).status == "success" for spec in plan[2:]) for run in (one, other)]
        assert difference == pytest.approx((solved[0] - solved[1]) / 18)
    assert effect.interval.holds(effect.difference)


def test_other_than_as_many_runs_with_as_without_is_refused(make_spec, tmp_path: Path) -> None:
    runs = [made_up_run(tmp_path / str(n), [make_spec(0)], seed=n, filmed=False) for n in range(3)]
    with pytest.raises(UserError, match="these are 2 and 1"):
        compare_trainings(runs[:2], runs[2:])
