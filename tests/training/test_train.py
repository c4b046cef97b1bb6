"""The verb ``train`` on datasets of this harness and of others."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
from pathlib import Path

import listening_sink
import pytest
from public_dataset import BRIEF, write_dataset

pytest.importorskip("torch", reason="torch is not installed (make vla)")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")

import pyarrow as pa
import pyarrow.parquet as pq

from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.sinks.base import SINKS
from eval.training.demonstrations import open_demonstrations


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data")


def test_a_training_leaves_what_run_loads_and_goes_on(cli, data: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(SINKS, "trackio", "training_sink:TrainingSink")
    monkeypatch.setattr("eval.training.monitor.check_sink", lambda name: None)
    out = tmp_path / "out"
    with listening_sink.listening() as heard:
        code, said, err = cli("train", *BRIEF, "--dataset", data, "--out", out, "--report-to", "trackio")
    assert code == 0, err
    assert f"--checkpoint {out}/checkpoint-2" in said
    assert "step 2/2" in err
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [1, 2]
    told = [entry for entry in heard.told if entry[0] == "log" and "train/loss" in entry[2]]
    assert [step for _, step, _ in told] == [1, 2]
    assert told[1][2]["train/loss"] == log[1]["loss"]
    record = json.loads((out / "checkpoint-2/training.json").read_text())
    assert record["datasets"][0]["episodes"] == 2
    assert record["test_placements"] is False
    assert json.loads((out / "checkpoint-2/dataset_statistics.json").read_text())["bridge_orig"]["num_transitions"] == 12

    code, _, err = cli("train", *BRIEF, "--dataset", data, "--out", out)
    assert (code, f"--resume {out}" in err) == (2, True)
    moved = shutil.move(data, tmp_path / "moved")
    code, said, err = cli("train", "--resume", out, "--dataset", moved, "--json")
    assert code == 0, err
    assert json.loads(said) == {"checkpoint": f"{out}/checkpoint-2", "step": 2, "complete": True}
    other = write_dataset(tmp_path / "other", seed=3_000_000_001)
    code, _, err = cli("train", "--resume", out, "--dataset", other)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "datasets are not those" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give --dataset"),
        (("--dataset", "nowhere"), "nowhere is no LeRobot dataset"),
        (("--dataset", "{data}", "--tracevla"), "annotate-traces"),
        (("--dataset", "{data}", "--preset", "tracevla_phi"), 'Did you mean "tracevla_phi3"?'),
        (("--dataset", "{data}", "--eval-every", "2"), "--eval-task"),
        (("--dataset", "{data}", "--eval-task", "x"), "no effect without --eval-every"),
        (("--dataset", "{data}", "--lora-dropout", "0.1"), "no effect without --lora-rank"),
        (
            ("--dataset", "{data}", "--eval-every", "2", "--eval-task", "google_robot_move_near"),
            "is of google_robot, which no --dataset is of",
        ),
        (("--dataset", "{data}", "--frames", "{data}/meta/info.json"), "info.json is a file; choose a folder"),
        (("--resume", "{data}"), "holds no training"),
        (("--resume", "{data}", "--seed", "3"), "no effect with --resume"),
    ],
)
def test_what_cannot_be_used_is_one_line(cli, data: Path, tmp_path: Path, arguments, said: str) -> None:
    given = [argument.format(data=data) for argument in arguments]
    begun = () if "--resume" in given else ("--init", "tiny", "--out", tmp_path / "out")
    code, _, err = cli("train", *given, *begun)
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_of_a_training_that_was_refused_may_be_used_again(cli, data: Path, tmp_path: Path) -> None:
    begin = ("train", *BRIEF, "--dataset", data, "--out", tmp_path / "out")
    code, _, err = cli(*("cuda:99" if each == "cpu" else each for each in begin))
    assert (code, "cuda:99" in err, len(err.splitlines())) == (2, True, 1), err
    code, _, err = cli(*begin)
    assert code == 0, err


def test_statistics_that_the_checkpoint_lacks_are_said_before_images_are_prepared(cli, data: Path, tmp_path: Path) -> None:
    brief = [each for each in BRIEF if each not in ("--init", "tiny")]
    begin = ("train", *brief, "--checkpoint", "tiny-random", "--out", tmp_path / "out", "--keep-statistics", "--dataset")
    code, _, err = cli(*begin, f"mine={data}")
    assert (code, len(err.splitlines())) == (2, 1), err
    assert "simpler-eval: --keep-statistics: " in err
    assert 'has no "mine"' in err
    assert not (tmp_path / "out/frames").exists()
    code, _, err = cli(*begin, f"bridge_orig={data}")
    assert code == 0, err


def test_an_image_that_cannot_be_decoded_is_named(cli, tmp_path: Path) -> None:
    begin = ("train", *BRIEF, "--out", tmp_path / "out", "--dataset")
    code, _, err = cli(*begin, write_dataset(tmp_path / "data", broken=True))
    assert code == 2
    assert "image of frame 7 cannot be decoded" in err.splitlines()[-1]
    code, _, err = cli(*begin, write_dataset(tmp_path / "whole"))
    assert code == 0, err


@pytest.mark.parametrize("name", ["base", "frames"])
def test_a_folder_of_somebody_else_stays_as_it_is(cli, data: Path, tmp_path: Path, name: str) -> None:
    own = tmp_path / "models" / name / "config.json"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    code, _, err = cli("train", *BRIEF, "--dataset", data, "--out", tmp_path / "models")
    assert (code, "exists and is no training" in err) == (2, True), err
    assert [own.read_text(), [path.name for path in (tmp_path / "models").iterdir()]] == ["mine", [name]]


def _changed(path: Path, actions: list | None) -> None:
    """The file with other actions, or with none."""
    table = pq.read_table(path)
    place = table.column_names.index("action")
    table = table.remove_column(place)
    pq.write_table(table if actions is None else table.add_column(place, "action", pa.array(actions)), path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda rows: None, "has no action, which meta/info.json names"),
        (lambda rows: [None, *rows[1:]], "action of episode 0 is not of shape [7] at every step"),
        (lambda rows: [row[:5] for row in rows], "action of episode 0 is not of shape [7] at every step"),
        (lambda rows: [*rows[:-1], rows[-1][:5]], "action of episode 1 is not of shape [7] at every step"),
        (lambda rows: [[float("nan")] * 7, *rows[1:]], "episode 0 has actions that are not finite"),
        (lambda rows: [*rows[:-1], [1e308] * 7], "episode 1 has actions that are not finite, or beyond"),
    ],
    ids=["none", "absent", "short", "one-short", "nan", "huge"],
)
def test_actions_that_are_not_what_the_dataset_says_are_one_line(cli, data: Path, tmp_path: Path, damage, said: str) -> None:
    file = data / "data/chunk-000/file-000.parquet"
    _changed(file, damage(pq.read_table(file)["action"].to_pylist()))
    code, _, err = cli("train", *BRIEF, "--dataset", data, "--out", tmp_path / "out")
    assert code == 2
    assert said in err.splitlines()[-1]


def test_a_dataset_without_frames_is_one_line_for_whoever_reads_it(cli, data: Path, tmp_path: Path) -> None:
    for name in ("data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"):
        pq.write_table(pq.read_table(data / name).slice(0, 0), data / name)
    info = json.loads((data / "meta/info.json").read_text())
    (data / "meta/info.json").write_text(json.dumps(info | {"total_episodes": 0, "total_frames": 0}))
    for verb in (("train", *BRIEF, "--dataset", data), ("annotate-traces", data)):
        code, _, err = cli(*verb, "--out", tmp_path / "out")
        assert (code, err) == (2, f"simpler-eval: {data} holds no frames; record some, or fetch it anew.\n")


def test_statistics_that_are_damaged_are_one_line(cli, data: Path, tmp_path: Path) -> None:
    (data / "meta/stats.json").write_text("{")
    code, _, err = cli("annotate-traces", data, "--out", tmp_path / "out")
    assert code == 2
    assert f"{data}/meta/stats.json of the dataset cannot be read" in err.splitlines()[-1]


def test_actions_without_a_meaning_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="roll, pitch, yaw"):
        open_demonstrations(str(write_dataset(tmp_path / "data", angles="a,b,c")), False, False)


def test_placements_of_the_evaluation_are_refused_unless_allowed_and_then_recorded(cli, tmp_path: Path) -> None:
    for seed, refused in ((7, True), (2_000_000_003, True), (3_000_000_003, False)):
        root = write_dataset(tmp_path / str(seed), seed=seed)
        if refused:
            with pytest.raises(UserError, match="where the evaluation plays"):
                open_demonstrations(str(root), False, False)
        assert open_demonstrations(str(root), False, True).on_test_placements == refused
    out = tmp_path / "out"
    brief = [*BRIEF[:3], 1, *BRIEF[4:]]
    code, _, err = cli("train", *brief, "--dataset", tmp_path / "7", "--out", out, "--allow-test-placements")
    assert code == 0, err
    assert json.loads((out / "checkpoint-1/training.json").read_text())["test_placements"] is True


def test_an_episode_of_this_harness_that_does_not_say_where_it_stands_counts_as_one_of_the_evaluation(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "data", seed=3_000_000_003)
    path = root / "meta/episodes/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["simpler_eval/seed"]), path)
    with pytest.raises(UserError, match="where the evaluation plays"):
        open_demonstrations(str(root), False, False)


def test_the_same_data_has_the_same_fingerprint_and_other_data_another(tmp_path: Path) -> None:
    prints = [
        open_demonstrations(str(write_dataset(tmp_path / name, angles=angles)), False, False).fingerprint
        for name, angles in (("a", "roll,pitch,yaw"), ("b", "roll,pitch,yaw"), ("c", "rx,ry,rz"))
    ]
    assert prints[0] == prints[1] != prints[2]


def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, code: int, tasks=("widowx_stack_cube",), done=None):
    """What is told, the command, and the log, when the process of an evaluation says and leaves this."""
    from eval.training.monitor import TrainingMonitor
    from eval.training.options import TrainOptions

    asked: list[list[str]] = []

    def play(command, file, _):
        asked.append(command)
        file.write(said)
        if done is not None:
            done(tmp_path / "evaluations/checkpoint-7")
        return code

    monkeypatch.setattr("eval.training.evaluation._played", play)
    lines: list[str] = []
    monkeypatch.setitem(SINKS, "trackio", "training_sink:TrainingSink")
    monkeypatch.setattr("eval.training.monitor.check_sink", lambda name: None)
    given = {"init": "tiny", "datasets": ("d",), "eval_every": 1, "eval_tasks": tasks, "eval_episodes": 3}
    options = TrainOptions(**given, report_to="trackio")
    with listening_sink.listening() as heard, TrainingMonitor(options, tmp_path, lines.append) as monitor:
        rates = monitor.evaluate(7, tmp_path / "checkpoint-7")
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry[1:] for entry in heard.told if entry[0] == "log"] == [(7, {"train/evaluation_failed": 1.0})]
    return rates, lines, asked[0], log


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        (b"loading\nsimpler-eval: the card is lost.\n  at once\n", 2, "the card is lost"),
        (b"Traceback\nMemoryError: no room\n", 1, "MemoryError: no room"),
        (b"1 worker\n", -9, "its process was killed (SIGKILL); was there too little memory?"),
        (b"", 3, "exit code 3, and nothing was said"),
    ],
)
def test_an_evaluation_that_fails_says_why_and_where_and_costs_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, code: int, why: str
) -> None:
    rates, lines, command, log = evaluated(tmp_path, monkeypatch, said, code)
    printed = tmp_path / "evaluations/checkpoint-7.log"
    problem = f"{why}; all it said: {printed}"
    assert rates == {}
    assert lines == [
        f"simpler-eval: the evaluation of checkpoint-7 failed, the training goes on: {problem}",
        f"simpler-eval: 1 evaluation failed (checkpoint-7); why: {tmp_path}/evaluations",
    ]
    assert log == [{"step": 7, "evaluation_failed": 1.0, "problem": problem}]
    first, _, rest = printed.read_bytes().partition(b"\n")
    assert rest == said
    assert first.decode() == shlex.join(["$", "simpler-eval", *command[4:]]).replace("'$'", "$"), "it can be tried again"
    text = " ".join(command)
    for part in ("--placements heldout", "--limit 3", "--task widowx_stack_cube", f"--checkpoint {tmp_path}/checkpoint-7"):
        assert part in text


def test_an_evaluation_whose_episodes_err_names_their_fault_and_keeps_the_tasks_that_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripted_runs import scripted_run

    tasks = ("widowx_stack_cube", "widowx_carrot_on_plate")
    plan = make_plan(tasks=tasks, limit=3)
    kinds = ["fse" if spec.task == tasks[0] else "sfs" for spec in plan[::3]]
    last = b"simpler-eval: 1 of 6 episodes has no verdict\n  simpler-eval run --resume there --retry-errored\n"
    played = scripted_run(tmp_path / "played", plan, "".join(kinds)).path
    rates, lines, _, log = evaluated(tmp_path, monkeypatch, last, 1, tasks, lambda out: shutil.copytree(played, out))
    assert rates == {"success_rate/widowx_carrot_on_plate": pytest.approx(2 / 3)}, "no mean over fewer tasks than before"
    assert "1 of 6 episodes has no verdict (1 x " in lines[0]
    assert "--resume" not in lines[0]
    assert log[0]["problem"] in lines[0]


def test_an_evaluation_scales_actions_as_the_training_did_or_is_refused_before_it(tmp_path: Path) -> None:
    from eval.training.evaluation import ranges_of
    from eval.training.options import TrainOptions

    options = TrainOptions(init="tiny", datasets=("d",), eval_every=1, eval_tasks=("widowx_stack_cube",))
    roots = [write_dataset(tmp_path / name, angles=angles) for name, angles in (("a", "roll,pitch,yaw"), ("b", "rx,ry,rz"))]

    def ranges(*keys: str) -> str | None:
        texts = [f"{key}{root}" for key, root in zip(keys, roots, strict=False)]
        return ranges_of(options, [open_demonstrations(text, False, False) for text in texts])

    assert ranges("", "mine=") is None, "the robot's usual ones"
    assert ranges("mine=") == ranges("mine=", "mine=") == "widowx=mine"
    with pytest.raises(UserError, match=r"have the keys mine, other, and an evaluation needs one; .* the key bridge_orig"):
        ranges("mine=", "other=")


def test_the_ranges_of_a_training_are_given_to_its_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from eval.training.evaluation import evaluate
    from eval.training.options import TrainOptions

    asked: list[list[str]] = []

    monkeypatch.setattr("eval.training.evaluation._played", lambda command, *_: asked.append(command) or 2)
    options = TrainOptions(init="tiny", datasets=("d",), eval_every=1, eval_tasks=("widowx_stack_cube",))
    evaluate(options, tmp_path / "checkpoint-1", tmp_path, "widowx=mine")
    evaluate(options, tmp_path / "checkpoint-1", tmp_path)
    assert ["--unnorm-key widowx=mine" in " ".join(command) for command in asked] == [True, False]


def test_an_evaluation_that_the_user_stops_with_the_training_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eval.training.monitor import TrainingMonitor
    from eval.training.options import TrainOptions

    monkeypatch.setattr("eval.training.evaluation._played", lambda *_: 130)
    lines: list[str] = []
    options = TrainOptions(init="tiny", datasets=("d",), eval_every=1, eval_tasks=("widowx_stack_cube",))
    with TrainingMonitor(options, tmp_path, lines.append) as monitor, monitor.listening():
        signal.raise_signal(signal.SIGTERM)
        assert monitor.evaluate(7, tmp_path / "checkpoint-7") == {}
    assert lines[1:] == ["simpler-eval: the evaluation of checkpoint-7 was stopped, too"]
