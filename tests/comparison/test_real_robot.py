"""Several policies beside the published real-robot table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eval.comparison.real_robot import rank, real_rates
from eval.errors import UserError
from eval.plan.suites import make_plan

CARROT = "widowx_carrot_on_plate"


@pytest.fixture
def runs(play):
    """Three policies that solve 2, 12 and 7 of 24."""
    plan = make_plan(tasks=[CARROT])
    return [play(name, plan, "s" * k + "f" * (24 - k)) for name, k in (("rt", 2), ("base", 12), ("small", 7))]


GIVEN = ["rt=RT-1-X", "base=octo_base", "small=Octo-Small"]


def test_mmrv_and_pearson_by_their_definitions(runs):
    ranking = rank(runs, GIVEN)
    (cell,) = ranking.ranked
    real, simulated = np.array([0.0, 0.25, 0.083]), np.array([2, 12, 7]) / 24  # SimplerEnv, REAL_PERF
    assert list(cell.real.values()) == pytest.approx(list(real))
    assert cell.pearson == pytest.approx(np.corrcoef(simulated, real)[0, 1], abs=1e-6)
    assert cell.mmrv == 0.0
    assert ranking.rows() == [["Carrot on Plate, Visual Matching", "3", "0.000", f"{cell.pearson:.3f}"]]
    turned = rank(runs, ["rt=octo-base", "base=RT-1-X", "small=Octo-Small"]).ranked[0]
    gaps = [max(0.25, 0.25 - 0.083), max(0.25, 0.083), max(0.25 - 0.083, 0.083)]  # every pair is ordered wrongly
    assert turned.mmrv == pytest.approx(np.mean(gaps))
    assert "rests on 3 policies" in ranking.notes[1]


def test_two_policies_are_no_ranking(runs):
    ranking = rank(runs[:2], GIVEN[:2])
    assert ranking.rows()[0][2:] == ["–", "–"]
    assert ranking.to_json()["cells"][0]["mmrv"] is None
    assert "means nothing" in ranking.notes[-1]


def test_policies_that_the_table_has_by_their_own_name(play):
    plan = make_plan(tasks=[CARROT], limit=4)
    from fake_policies import Still

    runs = [play(name, plan, policy=Still(), called=name) for name in ("octo_base", "my/models.py:RT1X", "random")]
    assert dict(rank(runs).models) == {"octo_base": "Octo-Base", "models.py:RT1X": "RT-1-X"}
    assert rank(runs[2:]) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["rt"], "is not NAME=ROW"),
        (["nobody=RT-1-X"], 'names no run "nobody"'),
        (["rt=RT-9"], 'has no row "RT-9"'),
        (["rt=RT-1-X", "base=rt_1_x"], "are both RT-1-X"),
    ],
)
def test_names_and_rows_that_there_are_not(runs, given, words):
    with pytest.raises(UserError, match=words):
        rank(runs, given)


def test_the_command_shows_them(cli, runs):
    code, out, err = cli("compare", *[run.path for run in runs], *[part for text in GIVEN for part in ("--real", text)])
    assert (code, err) == (0, "")
    assert "Against real robots" in out
    content = cli("compare", *[run.path for run in runs], "--real", GIVEN[0], "--json")[1]
    assert json.loads(content)["real_robot"]["models"] == {"random, rt": "RT-1-X"}


def test_report_shows_them_where_several_policies_are_given(cli, play):
    plan = make_plan(tasks=[CARROT], limit=4)
    from fake_policies import Still

    runs = [play("rt", plan, policy=Still(), called="rt"), play("base", plan, "ssff")]
    code, out, err = cli("report", *[run.path for run in runs], "--real", GIVEN[0], "--json")
    assert code == 0, err
    assert json.loads(out)["real_robot"]["cells"][0]["policies"] == 1
    code, _, err = cli("report", runs[0].path, "--real", GIVEN[0])
    assert (code, len(err.splitlines())) == (2, 1)


def test_the_table_has_the_paper_s_policies():
    assert set(real_rates()) == {
        "RT-2-X", "RT-1 (Converged)", "RT-1 (15%)", "RT-1-X", "RT-1 (Begin)", "Octo-Base", "Octo-Small",
    }  # fmt: skip
