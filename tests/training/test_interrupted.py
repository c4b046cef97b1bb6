"""Trainings that share a folder, are stopped before they begin, or are begun with what cannot be right."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed (make vla)")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")

import torch
from demonstrations import Killed, Listening, job
from public_dataset import BRIEF, write_dataset
from safetensors.torch import load_file, save_file

from eval.errors import UserError
from eval.records.locking import alone_in
from eval.training import evaluation
from eval.training.demonstrations import open_demonstrations
from eval.training.monitor import TrainingMonitor
from eval.training.options import TrainOptions
from policies.openvla_phi3.training import train
from policies.phi3v.training.files import tidy
from policies.phi3v.training.loop import Training

REPO = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data")


def one_line(said: tuple[int, str, str]) -> str:
    code, _, err = said
    assert (code, len(err.splitlines())) == (2, 1), err
    return err


def test_a_folder_is_one_trainings_at_a_time(cli, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with alone_in(out):
        assert f"Another process is writing {out}" in one_line(cli("train", *BRIEF, "--dataset", data, "--out", out))
    assert cli("train", *BRIEF, "--dataset", data, "--out", out)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    with alone_in(out):
        assert f"Another process is writing {out}" in one_line(cli("train", "--resume", out))
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_who_was_killed_before_it_began_begins_with_the_same_command(cli, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in (".lock", ".options.json.part"):
        (out / name).write_text("{")
    assert cli("train", *BRIEF, "--dataset", data, "--out", out)[0] == 0


def test_who_is_to_stop_while_images_are_prepared_goes_on_with_them(cli, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said, err = cli("train", *BRIEF, "--dataset", data, "--out", out, "--stop-after", "0.00001", "--json")
    assert (code, json.loads(said)) == (0, {"checkpoint": None, "step": None, "complete": False}), err
    assert "those that are prepared are kept" in err
    code, said, err = cli("train", "--resume", out)
    assert code == 0, err
    assert (out / "checkpoint-2").is_dir()


EVALUATING = """
import sys
from pathlib import Path
from eval.training.evaluation import evaluate
from eval.training.options import TrainOptions

many = {"eval_tasks": ("widowx_carrot_on_plate",), "eval_episodes": 99}
options = TrainOptions(init="tiny", datasets=("d",), eval_every=1, device="cpu", **many)
evaluate(options, Path("tiny-random"), Path(sys.argv[1]))
"""


def processes_with(text: str) -> list[int]:
    """Those whose command line has it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").is_file(), reason="this system does not say which processes there are")
def test_an_evaluation_does_not_outlive_a_training_that_is_killed(tmp_path: Path) -> None:
    training = subprocess.Popen([sys.executable, "-c", EVALUATING, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(REPO)})
    playing = f"{tmp_path}/evaluations/tiny-random"
    deadline = time.monotonic() + 60
    while not Path(playing, "run.json").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_with(playing)
    training.kill()
    training.wait()
    deadline = time.monotonic() + 10  # a tenth of what the evaluation would take
    while processes_with(playing) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes_with(playing)
    assert "--retry-errored" in json.loads(Path(playing, "run.json").read_text())["sessions"][0]["command"]


def test_an_evaluation_does_not_keep_a_training_that_is_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "GRACE", 0.1)
    many = {"eval_tasks": ("widowx_carrot_on_plate",), "eval_episodes": 99}
    lines: list[str] = []
    options = TrainOptions(init="tiny", datasets=("d",), eval_every=1, device="cpu", **many)
    run = tmp_path / "evaluations/tiny-random/run.json"

    def terminate() -> None:
        while not run.is_file():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)  # as a batch system tells this process alone

    with TrainingMonitor(options, tmp_path, lines.append) as monitor, monitor.listening():
        threading.Thread(target=terminate, daemon=True).start()
        began = time.monotonic()
        monitor.evaluate(7, Path("tiny-random"))
    assert time.monotonic() - began < 30, "a tenth of what the evaluation would take"
    assert lines[-1] == "simpler-eval: the evaluation of tiny-random was stopped, too"
    assert not (tmp_path / "log.jsonl").exists(), "it is no failure, and will be made up for"


def test_the_log_tells_which_steps_were_evaluated(tmp_path: Path) -> None:
    monitor = TrainingMonitor(TrainOptions(init="tiny", datasets=("d",)), tmp_path, lambda line: None)
    assert monitor.lacks_evaluation(2)
    lines = (
        {"step": 2, "loss": 1.0},
        {"step": 4, "success_rate/widowx_stack_cube": 0.5},
        {"step": 6, "evaluation_failed": 1.0},
    )
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 8, "succ')
    assert [monitor.lacks_evaluation(step) for step in (2, 4, 6, 8)] == [True, False, False, True]


def test_data_given_twice_would_be_held_out_and_trained_on(cli, data: Path, tmp_path: Path) -> None:
    for again in (str(data), f"other={data}"):
        line = one_line(cli("train", *BRIEF, "--dataset", data, "--dataset", again, "--out", tmp_path / "out"))
        assert f"{data} is given twice" in line
    assert not (tmp_path / "out").exists()


def test_a_dataset_and_the_same_with_traces_are_the_same_data(cli, data: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    traced = shutil.copytree(data, tmp_path / "data-traces")  # with a column more, as annotate-traces leaves it
    path = traced / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("has_trace", pa.array([False] * len(table))), path)
    line = one_line(cli("train", *BRIEF, "--dataset", data, "--dataset", traced, "--out", tmp_path / "out"))
    assert f"{traced} is given twice (as {data}, the same data)" in line


def test_the_same_actions_before_another_scene_are_other_data(data: Path, tmp_path: Path) -> None:
    """Such as actions of a run that were played again with other lights; the images are in the data files, or in videos."""
    import pyarrow.parquet as pq

    def shown(dataset: Path) -> str:
        return open_demonstrations(str(dataset), False, False).episodes

    darker = shutil.copytree(data, tmp_path / "darker")
    assert shown(darker) == shown(data)
    path = darker / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    images = table["observation.images.image_0"].to_pylist()
    images[0] = images[1]
    place = table.column_names.index("observation.images.image_0")
    pq.write_table(table.set_column(place, "observation.images.image_0", [images]), path)
    assert shown(darker) != shown(data)
    filmed = shutil.copytree(data, tmp_path / "filmed")
    video = filmed / "videos/observation.images.image_0/chunk-000/file-000.mp4"
    video.parent.mkdir(parents=True)
    sizes = []
    for size in (8, 9):
        video.write_bytes(bytes(size))
        sizes.append(shown(filmed))
    assert sizes[0] != sizes[1]


def test_no_training_is_put_into_its_data(cli, data: Path) -> None:
    assert "lies within the dataset" in one_line(cli("train", *BRIEF, "--dataset", data, "--out", data / "data/out"))
    assert not (data / "data/out").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--learning-rate", "1e38"), ("--seed", str(2**64)), ("--batch-size", str(10**12))]
)
def test_numbers_that_no_machine_can_use_are_one_line(cli, data: Path, tmp_path: Path, option: str, value: str) -> None:
    assert f"{option} is " in one_line(
        cli("train", "--init", "tiny", "--dataset", data, "--out", tmp_path / "out", option, value)
    )


def test_a_training_without_end_takes_no_more_memory_than_another(cli, data: Path, tmp_path: Path) -> None:
    brief = ("--init", "tiny", "--batch-size", 2, "--device", "cpu", "--dataset", data, "--out", tmp_path / "out")
    prepared = cli("train", *brief, "--max-steps", 10**15, "--stop-after", "0.00001")
    assert prepared[0] == 0
    code, _, err = cli("train", "--resume", tmp_path / "out", "--stop-after", "0.0001")
    assert code == 0, err
    assert f"steps 0 to {10**15}" in err


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError("Unable to allocate 7.28 TiB"),
    ],
)
def test_too_little_memory_is_one_line_with_what_helps(tmp_path: Path, monkeypatch, error: Exception) -> None:
    def run(self: Training) -> None:
        raise error

    monkeypatch.setattr(Training, "run", run)
    with pytest.raises(UserError, match=r"not enough memory for this batch. Give a smaller --per-device-batch-size") as refused:
        train(job(tmp_path / "out"), Listening())
    assert "\n" not in str(refused.value)


def test_losses_that_are_no_numbers_are_not_saved(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Training, "_held_out_metrics", lambda self: {"held_out_loss": float("nan")})
    with pytest.raises(UserError, match="Some losses up to step 2 are not finite"):
        train(job(tmp_path / "out"), Listening())
    assert not (tmp_path / "out/checkpoint-2").exists()


def test_what_a_kill_left_is_tidied_up_and_nothing_whole_is_lost(tmp_path: Path) -> None:
    for name in (".checkpoint-4.part", ".resume-2.old", "resume-2", ".checkpoint-2.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    tidy(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-2", "resume-2"]
    assert (tmp_path / "resume-2/file").read_text() == "resume-2"
    assert (tmp_path / "checkpoint-2/file").read_text() == ".checkpoint-2.old"


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was killed behind its second step of four."""
    root = tmp_path_factory.mktemp("half")
    listening = Listening(dies_at=3)
    with pytest.raises(Killed):
        train(job(root / "out", max_steps=4, save_steps=2), listening)
    return root / "out"


def changed_state(out: Path, kind: str, tensor: torch.Tensor) -> None:
    path = out / "resume-2/state.safetensors"
    save_file({name: tensor.clone() if name.startswith(kind) else stored for name, stored in load_file(path).items()}, path)


@pytest.mark.parametrize("kind", ["parameter/", "exp_avg/", "exp_avg_sq/"])
def test_the_state_of_another_model_is_one_line(half: Path, tmp_path: Path, kind: str) -> None:
    out = Path(shutil.copytree(half, tmp_path / "out"))
    changed_state(out, kind, torch.zeros(3))
    with pytest.raises(UserError, match=r"is the state of another model: .* has shape \[3\]; begin anew"):
        train(job(out, max_steps=4, save_steps=2, resume=True), Listening())


def test_a_state_that_is_none_does_not_hide_the_one_before_it(half: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(half, tmp_path / "out"))
    (out / "resume-9").mkdir()
    (out / "resume-8").write_text("no folder")
    listening = Listening()
    train(job(out, max_steps=4, save_steps=2, resume=True), listening)
    assert [step for step, _ in listening.losses()] == [3, 4]


def test_prepared_images_that_are_damaged_are_one_line_that_says_what_to_do(half: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(half, tmp_path / "out"))
    images = out / "frames/made-up.jpegs"
    images.write_bytes(bytes(images.stat().st_size))
    with pytest.raises(UserError, match=r"A prepared image cannot be decoded .*delete .*made-up.npz") as error:
        train(job(out, max_steps=4, save_steps=2, resume=True), Listening())
    assert "\n" not in str(error.value)
    (out / "frames/made-up.npz").unlink()
    assert train(job(out, max_steps=4, save_steps=2, resume=True), Listening()).complete


@pytest.mark.parametrize("tail", [b"\xff\xfe", b'{"step": 2, "loss"', b"\0" * 9, b'[]\n{"step": "x"}\n7\n'])
def test_a_log_whose_end_is_torn_is_gone_on_with(tmp_path: Path, tail: bytes) -> None:
    lines = b'{"step": 1, "loss": 5.0}\n'
    (tmp_path / "log.jsonl").write_bytes(lines + tail)
    TrainingMonitor(TrainOptions(), tmp_path, print).begun(3)
    assert (tmp_path / "log.jsonl").read_bytes() == lines


def test_whoever_may_read_one_file_of_a_checkpoint_may_read_all(half: Path) -> None:
    files = [path for name in ("checkpoint-2", "resume-2") for path in (half / name).iterdir()]
    assert {path.stat().st_mode for path in files} == {(half / "checkpoint-2/config.json").stat().st_mode}
    assert "model.safetensors" in {path.name for path in files}
