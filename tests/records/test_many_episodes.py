"""Runs of thousands of episodes: what is done with their results grows as their number, and what many runs share is read once.

No clock is read: what is counted is how often episodes are looked at, for a run and for one of twice as many.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_runs import made_up_run

from eval.checkpoints.curve import curve_of
from eval.checkpoints.evaluation import Evaluated
from eval.checkpoints.finding import Checkpoint
from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from eval.records import aggregation, means, tables
from eval.records.folder import load_run
from eval.records.labels import labels
from eval.records.results import EpisodeRecord
from eval.report.answer import answer
from eval.report.comparing import compare
from eval.report.entries import entries_of
from eval.report.exports import export
from eval.report.reporting import report

FEW, MANY = 150, 300
GROWTH = 2.2
"""Of the looks where the episodes are twice as many; with a part that is quadratic it is up to 4."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs, the second of twice as many episodes."""
    return two_sizes(tmp_path_factory.mktemp("runs"), "one")


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """The same by another policy."""
    return two_sizes(tmp_path_factory.mktemp("others"), "other")


def two_sizes(folder, policy):
    plan = make_plan(tasks=["google_robot_pick_coke_can"])
    sizes = {count: plan[:: len(plan) // count][:count] for count in (FEW, MANY)}
    return [
        made_up_run(folder / str(count), specs, seed=len(policy), filmed=False, policy=policy).path
        for count, specs in sizes.items()
    ]


def looks(work):
    """How often an episode of a plan or its result is looked at in ``work``."""
    count = 0

    def read(self, name):
        nonlocal count
        count += 1
        return object.__getattribute__(self, name)

    with pytest.MonkeyPatch.context() as patch:
        for kind in (EpisodeSpec, EpisodeRecord):
            patch.setattr(kind, "__getattribute__", read, raising=False)
        work()
    return count


def growth(work, runs):
    """How many times as often episodes are looked at for the larger run; what is done once in a process is done before."""
    work(runs[0])
    few, many = (looks(lambda run=run: work(run)) for run in runs)
    return many / few


def counting(monkeypatch, module, name):
    """The calls of a function, which goes on as it is: a list that grows."""
    asked, function = [], getattr(module, name)

    def ask(*arguments, **keywords):
        asked.append(arguments)
        return function(*arguments, **keywords)

    monkeypatch.setattr(module, name, ask)
    return asked


@pytest.mark.parametrize("format", ["csv", "md"])
def test_an_export_takes_twice_as_long_for_twice_as_many_episodes(runs, tmp_path, format):
    assert growth(lambda run: export([load_run(run)], [format], tmp_path), runs) < GROWTH


def test_a_report_takes_twice_as_long_for_twice_as_many_episodes(runs):
    assert growth(lambda run: report(run), runs) < GROWTH


def test_a_comparison_takes_twice_as_long_for_twice_as_many_episodes(runs, others):
    pairs = list(zip(runs, others, strict=True))
    assert growth(lambda pair: compare(*pair), pairs) < GROWTH


def test_runs_of_one_plan_hold_its_episodes_once(runs, others):
    """Those of 20 checkpoints need no more memory for their plans than one of them."""
    ours, theirs = load_run(runs[1]), load_run(others[1])
    assert len(ours.plan) == MANY
    assert all(one is other for one, other in zip(ours.plan, theirs.plan, strict=True))
    assert ours.records != theirs.records


def test_naming_the_checkpoints_of_a_sweep_compares_their_one_plan_with_nothing(others):
    """Whoever adds a checkpoint to a table waits for its episodes, not for those of all the others once more."""
    run = load_run(others[0])
    sweeps = [[replace(run, path=run.path / str(number)) for number in range(count)] for count in (4, 8)]
    assert growth(labels, sweeps) < GROWTH


def test_the_tables_of_a_report_are_made_once(runs, others, tmp_path, cli, monkeypatch):
    """On the page, in files and on the terminal stand the same numbers: whoever reports 20 runs waits for each once."""
    asked = counting(monkeypatch, tables, "summary")
    code, out, _ = cli("report", runs[0], others[0], "--out", tmp_path / "both")
    assert (code, len(asked)) == (0, 2)
    assert {"cells.md", "summary.csv", "report"} <= {path.name for path in (tmp_path / "both").iterdir()}
    assert "made_up" in out or "other" in out


def test_the_answer_makes_no_interval_that_it_does_not_say(tmp_path, monkeypatch):
    run = made_up_run(tmp_path / "widowx", make_plan(suite=["widowx_visual_matching"], limit=4), filmed=False)
    averages, said = (counting(monkeypatch, module, "macro_interval") for module in (aggregation, means))
    (sentence,) = answer(entries_of([run]), running=False)
    assert (len(averages), len(said), sentence.count("95 % interval")) == (0, 1, 1)


def test_a_curve_counts_each_checkpoint_once_and_makes_no_table_that_it_does_not_show(runs, others, monkeypatch):
    counted, cells = (counting(monkeypatch, tables, name) for name in ("summary", "cell_table"))
    played = [
        Evaluated(Checkpoint(f"training/step_{step}", f"step_{step}", step), load_run(run))
        for step, run in ((1, runs[0]), (2, others[0]))
    ]
    curve = curve_of(played)
    assert (len(counted), len(cells)) == (2, 0)
    assert curve.table()[1][1][:2] == ["step_2", "2"]
    assert curve.title.startswith("other")
