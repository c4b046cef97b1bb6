"""``--report-to``: rates while a run goes on, one run of the tracker an evaluation, and no run that is lost to a tracker."""

from __future__ import annotations

import json
import sys
import time

import listening_sink
import pytest
from fake_policies import Counts, Still

import eval.sinks.evaluation
import eval.sinks.thread
from eval.errors import UserError
from eval.rollout.run import run
from eval.sinks.base import SINKS


@pytest.fixture
def heard(monkeypatch):
    """The tracker ``wandb`` is one of ours here."""
    monkeypatch.setitem(SINKS, "wandb", "listening_sink:ListeningSink")
    monkeypatch.setitem(sys.modules, "wandb", listening_sink)
    with listening_sink.listening() as heard:
        yield heard


@pytest.fixture
def told(heard):
    """What it was told."""
    return heard.told


@pytest.fixture
def play(tmp_path):
    def play(plan, policy=None, **options):
        marks = tmp_path / "marks"
        marks.mkdir(exist_ok=True)
        given = {"workers": 1, "out": tmp_path / "run", "assets": str(marks), "report_to": "wandb", **options}
        return run(plan, policy or Still(), world="fake_world", **given)

    return play


def test_rates_by_task_after_every_episode_then_table_and_videos(play, make_spec, told):
    plan = [make_spec(0), make_spec(1), make_spec(2, task="other")]
    data = play(plan, video="all")
    opened, *logs = told
    assert opened[0] == "open"
    assert opened[2:] == ("run", 3)
    steps = [one[1] for one in logs if one[0] == "log"]
    assert steps == [1, 2, 3, 3]
    last = logs[3][2]
    assert last == {
        "success_rate/fake_task": 0.5, "success_rate/other": 1.0, "success_rate": pytest.approx(2 / 3),
        "episodes": 3, "errored": 0,
    }  # fmt: skip
    table, *videos, end = logs[4:]
    assert table[:2] == ("table", "summary")
    assert [row[0] for row in table[3]][:2] == ["fake_task", "fake_task"]
    assert {one[1] for one in videos} == {"videos/success_1", "videos/success_2", "videos/failure_1"}
    assert end == ("finish",)
    assert json.loads((data.path / "report_to.json").read_text()) == {"listening": opened[1]}


def test_a_continued_run_is_the_same_one_and_its_steps_go_on(play, make_spec, told):
    plan = [make_spec(0), make_spec(1)]
    play(plan, Counts(plan[0].id))
    again = type("Counts", (Still,), {"__module__": "fake_policies"})()
    play(plan, again, retry_errored=True)
    opened = [one for one in told if one[0] == "open"]
    assert len(opened) == 2
    assert opened[0][1] == opened[1][1]
    logs = [one for one in told if one[0] == "log"]
    assert logs[1][2]["errored"] == 1
    assert logs[-1][2] == {"success_rate/fake_task": 0.5, "success_rate": 0.5, "episodes": 2, "errored": 0}
    assert [one[1] for one in logs] == sorted(one[1] for one in logs)


def test_what_is_told_after_an_episode_does_not_go_through_those_before(play, make_spec, told, monkeypatch):
    """After the 3,000th that would take the thread that speaks to the simulators as long as all of them."""
    looked_at = []
    judge = eval.sinks.evaluation.JUDGES["last"]
    monkeypatch.setitem(eval.sinks.evaluation.JUDGES, "last", lambda record: looked_at.append(record.key) or judge(record))
    data = play([make_spec(index) for index in range(6)], report_to="none")
    with eval.sinks.evaluation.EvaluationReport("wandb", print) as report:
        report.begun(data.path, [])
        looked_at.clear()
        for record in data.records.values():
            report.episode(record)
        assert looked_at == list(data.records)
    assert [one[2]["episodes"] for one in told if one[0] == "log"] == [1, 2, 3, 4, 5, 6, 6]


@pytest.mark.parametrize("where", ["open", "log", "table", "finish"])
def test_a_tracker_that_fails_is_one_line_and_the_run_goes_on(play, make_spec, heard, capsys, where):
    heard.fails_at.append(where)
    data = play([make_spec(0), make_spec(1)])
    assert [record.status for record in data.records.values()] == ["success", "failure"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"simpler-eval: nothing more is reported to wandb (no {where} today); the run goes on"


def test_a_tracker_that_hangs_is_not_waited_for(play, make_spec, heard, capsys, monkeypatch):
    monkeypatch.setattr(eval.sinks.thread, "END_SECONDS", 0.2)
    heard.fails_at.append("hang")
    begun = time.monotonic()
    data = play([make_spec(0)])
    assert time.monotonic() - begun < 30
    assert len(data.records) == 1
    assert "wandb has not taken in all after 0.2 s" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_without_the_package_a_line_says_so_before_anything_is_made(play, make_spec, monkeypatch, tmp_path, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf"--report-to {name} needs the package {name}: pip install 'simpler-eval\[{name}\]'"):
        play([make_spec(0)], report_to=name)
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker_is_one_line(play, make_spec):
    with pytest.raises(UserError, match='report_to cannot be "mlflow"; use none, wandb or trackio'):
        play([make_spec(0)], report_to="mlflow")
