"""``simpler-eval checkpoints``: one run each, one table, one plot, and what breaks costs no other."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from eval.checkpoints.curve import curve_of
from eval.checkpoints.evaluation import Evaluated, Evaluation
from eval.checkpoints.finding import Checkpoint, Watched
from eval.checkpoints.plot import plot
from eval.plan.suites import make_plan
from eval.records.folder import load_run
from eval.records.locking import alone_in
from eval.records.tables import tables_of
from eval.statistics.intervals import wilson


def written(folder, skill):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text(str(skill))
    return folder


WHAT = ("--policy", "checkpoint_policies:Trained", "--world", "fake_world", "--workers", 1, "--max-steps", 3)
TASK = ("--task", "widowx_carrot_on_plate", "--limit", 6)


def test_checkpoints_are_played_once_and_make_a_table_and_a_plot(cli, tmp_path):
    training, out = tmp_path / "training", tmp_path / "out"
    written(training / "checkpoint-20", 1)
    written(training / "checkpoint-100", 2)
    written(training / "checkpoint-300", -1)  # cannot be loaded
    (training / "checkpoint-400").mkdir()
    (training / "checkpoint-400" / "model-00001-of-00002.safetensors").write_text("half")
    command = ("checkpoints", training, *WHAT, *TASK, "--out", out)
    code, text, err = cli(*command, "--replicas", 2)
    assert code == 1
    assert "checkpoint-300 has no whole result: Policy checkpoint_policies:Trained cannot be made" in err
    assert "checkpoint-400 has no whole result: it is not complete: the index of its files is not there" in err
    rows = [line.split()[:2] for line in text.splitlines() if line.startswith("checkpoint-")]
    assert rows == [["checkpoint-20", "20"], ["checkpoint-100", "100"]]
    points = pd.read_csv(out / "checkpoints.csv")
    assert list(points["step"]) == [20, 100]
    assert list(points["n"]) == [6, 6]
    for point in points.itertuples():
        assert point.rate == pytest.approx(point.successes / 6)
        assert (point.low, point.high) == pytest.approx(wilson(point.successes, 6))
    assert "checkpoint-100" in (out / "checkpoints.md").read_text()
    assert cv2.imread(str(out / "checkpoints.png")).shape[1] > 600

    written(training / "checkpoint-700", 3)
    code, text, err = cli("checkpoints", training / "checkpoint-700", training / "checkpoint-20", training / "checkpoint-100",
                          *WHAT, *TASK, "--out", out, "--json")  # fmt: skip
    assert code == 0
    assert [point["step"] for point in json.loads(text)["points"]] == [20, 100, 700]
    assert err.count("played before") == 2
    assert len(load_run(out / "checkpoint-20").header.sessions) == 1

    (training / "checkpoint-20" / "model.safetensors").write_text("9")  # the training was begun anew in the same place
    for _ in range(2):  # the second time it is still another one
        code, text, err = cli("checkpoints", training / "checkpoint-20", *WHAT, *TASK, "--out", out)
        assert code == 1
        assert "holds a run with policy.weights" in err
        assert not any(line.startswith("checkpoint-20 ") for line in text.splitlines())


def test_one_process_at_a_time_fills_a_folder(cli, tmp_path):
    written(tmp_path / "training/checkpoint-20", 1)
    command = ("checkpoints", tmp_path / "training", *WHAT, *TASK, "--out", tmp_path / "out")
    (tmp_path / "out").mkdir()
    with alone_in(tmp_path / "out"):
        code, text, err = cli(*command)
    assert (code, text, len(err.splitlines())) == (2, "", 1)
    assert f"Another process is writing {tmp_path / 'out'}" in err
    assert cli(*command)[0] == 0


def test_a_policy_that_does_not_say_its_weights_gives_no_checkpoint_the_results_of_another(cli, tmp_path):
    """As the smallest policy of the README has it: a name alone."""
    a, b = written(tmp_path / "a/step-5", 1), written(tmp_path / "b/step-5", 2)
    what = ("--policy", "checkpoint_policies:Unsaid", *WHAT[2:], *TASK, "--out", tmp_path / "out")
    assert cli("checkpoints", a, *what)[0] == 0
    code, text, err = cli("checkpoints", b, *what)  # the same name alone
    assert (code, "step-5" in text) == (1, False)
    assert f"policy.settings.checkpoint '{a}', this one has '{b}'" in err
    code, _, err = cli("checkpoints", a, *what)
    assert (code, "step-5: played before" in err) == (0, True)
    (a / "model.safetensors").write_text("3")  # trained anew in the same place
    code, text, err = cli("checkpoints", a, *what)
    assert (code, "step-5" in text) == (1, False)
    assert "step-5: its files have changed since" in err


def test_what_was_played_by_other_code_or_with_other_files_is_no_point_of_the_same_curve(cli, tmp_path, monkeypatch):
    training, policy = written(tmp_path / "training/step-1", 1).parent, tmp_path / "mine.py"
    policy.write_text("from checkpoint_policies import Trained\nclass Mine(Trained): pass\n")
    what = ("checkpoints", training, "--policy", f"{policy}:Mine", *WHAT[2:], *TASK, "--out", tmp_path / "out")
    assert cli(*what)[0] == 0
    assert "step-1: played before" in cli(*what)[2]

    with monkeypatch.context() as patch:
        patch.setattr("eval.rollout.header._assets_identity", lambda *_: "other files")
        assert "step-1: begins" in cli(*what)[2]  # whoever plays it compares

    written(training / "step-2", 2)
    policy.write_text(policy.read_text() + "# mended\n")
    code, text, err = cli(*what)
    assert code == 1
    assert [line.split()[0] for line in text.splitlines() if line.startswith("step-")] == ["step-2"]
    assert "step-1 has no whole result: The policy's own code has changed since" in err


def test_trainings_that_go_on_from_each_other_stay_in_the_order_in_which_they_are_named(cli, tmp_path):
    chain, out = [tmp_path / "train-0/checkpoint-28", tmp_path / "train-1/checkpoint-13"], tmp_path / "out"
    for skill, folder in enumerate(chain, 1):
        written(folder, skill)
    assert cli("checkpoints", chain[1], *WHAT, *TASK, "--out", out)[0] == 0  # so that the later one ends first
    code, text, _ = cli("checkpoints", *chain, *WHAT, *TASK, "--out", out, "--json")
    assert code == 0
    assert [point["step"] for point in json.loads(text)["points"]] == [28, 13]


def test_a_training_is_watched_until_nothing_comes_any_more(cli, tmp_path):
    training = tmp_path / "training"
    training.mkdir()

    def train():
        for step in (1, 2):
            written(training / f"step-{step}", step)
            time.sleep(0.5)

    thread = threading.Thread(target=train)
    thread.start()
    watch = ("--watch", training, "--poll", 0.2, "--patience", 0.03)
    code, text, _ = cli("checkpoints", *watch, *WHAT, *TASK, "--out", tmp_path / "out", "--json")
    thread.join()
    assert code == 0
    assert [point["checkpoint"] for point in json.loads(text)["points"]] == ["step-1", "step-2"]


def test_what_a_watch_did_not_play_is_named(cli, tmp_path):
    training, out = tmp_path / "training", tmp_path / "out"
    (written(training / "step-1", 1) / "config.json").unlink()
    written(training / "step-2", 2)
    watch = ("checkpoints", "--watch", training, "--poll", 0.2, "--patience", 0, *WHAT, *TASK, "--out", out)
    code, text, err = cli(*watch, "--json")
    assert code == 1
    assert [point["checkpoint"] for point in json.loads(text)["points"]] == ["step-2"]  # no patience, but a second look
    assert "step-1: it is not complete: config.json is not there" in err

    (training / "step-1" / "config.json").write_text("{}")
    (out / "step-2" / "run.json").write_text("broken")  # costs no other
    code, text, err = cli(*watch, "--json")
    assert code == 1
    assert [point["checkpoint"] for point in json.loads(text)["points"]] == ["step-1"]
    assert "run.json" in json.loads(text)["problems"]["step-2"]

    code, text, err = cli("checkpoints", training, *WHAT, *TASK[:2], "--limit", 5, "--out", out)
    assert (code, text, err.count("\n")) == (2, "", 1)  # never two plans in one table
    assert "step-1 holds a run of another plan (6 episodes, this one has 5)" in err


def test_a_second_ctrl_c_still_leaves_the_table_and_how_to_go_on(cli, tmp_path, monkeypatch):
    """Some systems send two; the first lets the runs keep what they have, the second ends that wait."""
    written(tmp_path / "training/step-1", 1)
    command = ("checkpoints", tmp_path / "training", *WHAT, *TASK, "--out", tmp_path / "out", "--json")
    assert cli(*command)[0] == 0
    written(tmp_path / "training/step-2", 2)
    sent = []

    def interrupted(*_):
        sent.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(Evaluation, "_hear", interrupted)
    code, text, err = cli(*command)
    assert (code, len(sent)) == (130, 2)
    assert [point["checkpoint"] for point in json.loads(text)["points"]] == ["step-1"]
    assert "Stopped. The same command with --out " in err


def test_a_watched_checkpoint_that_is_written_over_is_named(cli, tmp_path, monkeypatch):
    """As ``last`` is in many trainings: its number is that of what was there first."""
    last, look = written(tmp_path / "training/last", 1), Watched.look

    def looked(watched):
        if (tmp_path / "out/last/run.json").exists():
            (last / "model.safetensors").write_text("2 ")
        return look(watched)

    monkeypatch.setattr(Watched, "look", looked)
    watch = ("--watch", tmp_path / "training", "--poll", 0.2, "--patience", 0)
    code, text, err = cli("checkpoints", *watch, *WHAT, *TASK, "--out", tmp_path / "out")
    assert (code, "last" in text) == (0, True)
    assert err.count("last was written anew since it was played; what it is now is not in the table") == 1


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_watched_folder_that_is_away_for_a_while_ends_no_run(cli, tmp_path, monkeypatch, comes_back):
    """As when a network drops, or the training renames its folder at the end."""
    training, away, out, looks = tmp_path / "training", tmp_path / "away", tmp_path / "out", []
    written(training / "step-1", 1)
    look = Watched.look

    def looked(watched):
        if looks or (out / "step-1/run.json").exists():  # its weights are read
            looks.append(1)
        if len(looks) == 1:
            training.rename(away)
        if len(looks) == 4 and comes_back:
            away.rename(training)
            written(training / "step-2", 2)
        return look(watched)

    monkeypatch.setattr(Watched, "look", looked)
    watch = ("--watch", training, "--poll", 0.2, "--patience", 0.03)
    code, text, err = cli("checkpoints", *watch, *WHAT, *TASK, "--out", out, "--json")
    assert code == (0 if comes_back else 1)
    expected = ["step-1", "step-2"] if comes_back else ["step-1"]
    assert [point["checkpoint"] for point in json.loads(text)["points"]] == expected
    assert err.count("training cannot be read: No such file or directory. It is looked for again") == 1
    assert ("What came into it since then is not played" in err) == (not comes_back)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Name checkpoints, a folder of them, or --watch FOLDER"),
        (("here", *TASK), "Say whose checkpoints they are: --policy"),
        (("here", "--policy", "openvla_phi3"), "Say which episodes every checkpoint is to play"),
        (("here", "--policy", "oracle", *TASK), "Policy oracle has no checkpoints"),
        (("here", "--watch", ".", *WHAT, *TASK), "CHECKPOINT has no effect with --watch"),
        (("here", "--poll", 3, *WHAT, *TASK), "--poll has no effect without --watch"),
        (("--watch", ".", "--poll", "inf", *WHAT, *TASK), '--poll is "inf"; it must be at most 86400'),
        (("here", "--policy-arg", "checkpoint=x", *WHAT, *TASK), "--policy-arg checkpoint=... has no effect"),
        (("here", "there", "--policy-arg", "skil=3", *WHAT, *TASK), "skil has no effect on it. It takes: checkpoint"),
        (("here", "there", "--policy", "openvla_phi3", "--device", "gpu", *TASK), '--device "gpu" is unknown'),
        (("here", "there", "--policy", "tracevla_phi3", "--tracker", "kanade", *TASK), '--tracker "kanade" is unknown'),
        (("here", "there", "--video", "most", *WHAT, *TASK), '--video "most" is not known'),
        (("here", "there", *WHAT[:2], "--assets", "/gone", *TASK), "asset folder /gone does not exist"),
        (("--watch", "/absent", *WHAT, *TASK), "--watch /absent is no folder"),
    ],
)
def test_what_cannot_be_played_is_one_line(cli, arguments, said):
    code, out, err = cli("checkpoints", *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert said in err


def test_a_problem_of_several_checkpoints_is_said_once(cli, tmp_path):
    for step in (1, 2, 3):
        written(tmp_path / f"training/step-{step}", 1 if step == 2 else -1)
    code, text, err = cli("checkpoints", tmp_path / "training", *WHAT, *TASK, "--out", tmp_path / "out")
    assert code == 1
    assert [line.split()[0] for line in text.splitlines() if line.startswith("step-")] == ["step-2"]
    (line,) = [line for line in err.splitlines() if "no whole result" in line]
    assert line.startswith("simpler-eval: step-1 and step-3 have no whole result: Policy checkpoint_policies:Trained cannot be")


def test_the_mean_of_tasks_has_the_interval_of_the_same_average_in_the_tables(tmp_path):
    from scripted_runs import scripted_run

    tasks = ["carrot_on_plate", "stack_cube", "spoon_on_towel", "put_eggplant_in_basket"]
    plan = make_plan(tasks=[f"widowx_{task}" for task in tasks], limit=6)
    run = scripted_run(tmp_path / "run", plan, "ssssssfffffffsfsfsssssff")
    mean = curve_of([Evaluated(Checkpoint("1", "step-1", 1), run)]).points.iloc[-1]
    average = tables_of(run).cells.iloc[-1]
    assert (mean["task"], average["kind"]) == ("mean of tasks", "average")
    assert list(mean[["rate", "low", "high"]]) == pytest.approx(list(average[["rate", "low", "high"]]))
    assert tuple(mean[["low", "high"]]) != pytest.approx(wilson(13, 24)), "tasks are no one sample"


def test_a_curve_of_several_tasks_has_their_mean(tmp_path, make_spec, monkeypatch):
    from matplotlib.figure import Figure
    from scripted_runs import scripted_run

    figures, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *args, **kw: (figures.append(figure), save(figure, *args, **kw)))
    plan = [make_spec(i, task=task) for task in ("widowx_stack_cube", "widowx_carrot_on_plate") for i in range(4)]
    evaluated = []
    for step, ends in ((300, "ssssssff"), (100, "sfffffff")):
        run = scripted_run(tmp_path / str(step), plan, ends)
        evaluated.append(Evaluated(Checkpoint(str(step), f"step-{step}", step), run))
    curve = curve_of([*evaluated, Evaluated(Checkpoint("x", "x", None), None, "broken")])
    assert curve.has_steps
    means = curve.points[curve.points["task"] == "mean of tasks"]
    assert list(means["step"]) == [100, 300]
    assert list(means["rate"]) == [0.125, 0.75]
    heads, rows = curve.table()
    assert heads == ["checkpoint", "step", "widowx_stack_cube", "widowx_carrot_on_plate", "mean of tasks"]
    assert rows[0][:3] == ["step-100", "100", "25.0 [4.6-69.9]"]
    plot(curve, tmp_path / "plot.png")
    image = cv2.imread(str(tmp_path / "plot.png"))
    assert (image.min(axis=2) < 40).sum() > 500  # the black line of the mean
    (axes,) = figures[-1].axes
    assert axes.get_legend_handles_labels()[1][-1] == "mean of tasks (n = 8)"
    lines = [handle[0].get_xdata() for handle in axes.get_legend_handles_labels()[0]]
    assert list(lines[-1]) == [100, 300], "the mean stands at its steps"
    assert len({line[0] for line in lines}) == 3, "no interval hides another"
    chain = [replace(each, checkpoint=replace(each.checkpoint, text=f"train-{i}/x")) for i, each in enumerate(evaluated)]
    assert curve_of(chain).names == ("step-300", "step-100"), "each training counts from 0, so the order is that of the list"
    assert not curve_of(chain).has_steps
    nameless = [Evaluated(Checkpoint(e.checkpoint.text, f"c{i}", None), e.run) for i, e in enumerate(evaluated)]
    assert not curve_of(nameless).has_steps
    plot(curve_of(nameless), tmp_path / "plot2.png")
    assert not np.array_equal(image, cv2.imread(str(tmp_path / "plot2.png")))
