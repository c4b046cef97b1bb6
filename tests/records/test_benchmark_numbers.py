"""A number that was not measured as the benchmark has it stands nowhere as one of the benchmark."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from scripted_runs import scripted_run

from eval.comparison.real_robot import rank
from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.published.reproduce import compare_with_published
from eval.records.folder import load_run
from eval.records.header import OBSERVATION_CHANGE
from eval.report.answer import answer
from eval.report.entries import entries_of
from eval.report.headline import headline

CARROT = "widowx_carrot_on_plate"


def audited(path):
    """A run as an audit leaves it."""
    header = json.loads((path / "run.json").read_text())
    header["identity"]["policy"]["settings"][OBSERVATION_CHANGE] = "blank_picture"
    (path / "run.json").write_text(json.dumps(header))
    return load_run(path)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same policy as the benchmark has it, on held-out placements, and with grey pictures."""
    folder = tmp_path_factory.mktemp("runs")
    plans = {p: make_plan(tasks=[CARROT], placements=p, limit=4) for p in ("published", "heldout")}
    own = [scripted_run(folder / name, plan) for name, plan in plans.items()]
    return [*own, audited(scripted_run(folder / "audited", plans["published"]).path)]


SAID = ("", "heldout placements", "audit: blank picture")


@pytest.mark.parametrize("which", [0, 1, 2])
def test_published_numbers_stand_beside_the_benchmark_s_alone(runs, which):
    entries = entries_of([runs[which]])
    (table,) = headline(entries, "simpler").tables
    assert bool(table.published) == (which == 0)
    assert SAID[which] in answer(entries, running=False)[0]
    assert table.title.removeprefix("WidowX, Visual Matching") == (
        "", ", held-out placements", ", observations changed by an audit",
    )[which]  # fmt: skip
    assert SAID[which] in entries[0].tables.files()["cells.tex"].split(r"\midrule")[1]
    if which == 0:
        assert compare_with_published(runs[0], CARROT, "visual_matching").published
    else:
        with pytest.raises(UserError, match="no published number stands beside it"):
            compare_with_published(runs[which], CARROT, "visual_matching")


def test_side_by_side_they_are_told_apart(cli, runs, tmp_path):
    code, out, err = cli("report", *(run.path for run in runs), "--out", tmp_path / "all")
    assert (code, err) == (0, "")
    for file in ("cells.md", "cells.tex", "summary.tex"):
        text = (tmp_path / "all" / file).read_text()
        body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
        assert all(said in body for said in SAID), file
    assert out.splitlines()[0].endswith("HELDOUT AND PUBLISHED PLACEMENTS")
    tables = headline(entries_of(runs), "simpler").tables
    assert [(len(table.rows), bool(table.published)) for table in tables] == [(1, True), (1, False), (1, False)]
    assert cli("export", *(run.path for run in runs), "--to", "csv", "--out", tmp_path / "csv")[0] == 0
    table = pd.read_csv(tmp_path / "csv/episodes.csv")
    assert list(table["placements"].drop_duplicates()) == ["published", "heldout"]
    assert table["observation_change"].dropna().tolist() == ["blank_picture"] * 4


def test_real_robots_stand_beside_the_benchmark_s_alone(runs, tmp_path):
    other = scripted_run(tmp_path / "other", make_plan(tasks=[CARROT], placements="heldout", limit=4), policy="oracle")
    with pytest.raises(UserError, match="no number of real robots stands beside"):
        rank([runs[1], other], ["oracle, heldout placements=RT-1-X"])
