"""Trainings by two processes on the CPU, beside the same by one."""

from __future__ import annotations

import multiprocessing
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (make vla)")

from demonstrations import Killed, Listening, job
from safetensors.torch import load_file

from eval.errors import UserError
from eval.training.processes import _hear, train_together
from policies.openvla_phi3.training import train
from policies.phi3v.training.group import Group
from policies.training import Job, Place, Trained

SETTINGS = {
    "batch_size": 4, "per_device_batch_size": 1, "max_steps": 4, "save_steps": 2, "image_aug": True, "held_out": 0.5,
    "gradient_checkpointing": True, "learning_rate": 0.003,
}  # fmt: skip


def together(work: Job, monitor: Listening) -> Trained:
    return train_together("openvla_phi3", work, monitor)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Processes of a machine with few cores wait for each other, not for threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@dataclass
class Murderous(Listening):
    """Kills one of the processes when the third step is told of."""

    killed: bool = False

    def log(self, step: int, steps: int, metrics: dict[str, float]) -> None:
        super().log(step, steps, metrics)
        if step == 3 and not self.killed:
            self.killed = True
            next(each for each in multiprocessing.active_children() if each.name == "train-1").kill()


def test_two_processes_train_what_one_trains_and_go_on_when_one_is_killed(tmp_path: Path) -> None:
    alone, told = Listening(), Murderous()
    train(job(tmp_path / "alone", **SETTINGS), alone)
    with pytest.raises(UserError) as error:
        together(job(tmp_path / "two", **SETTINGS, gpus=2), told)
    assert str(error.value).startswith("Process 2 of the training was killed (SIGKILL)")
    assert "--resume" in str(error.value)
    assert "\n" not in str(error.value)
    assert not multiprocessing.active_children()
    assert [path.name for path in (tmp_path / "two").glob("*-*")] == ["checkpoint-2", "resume-2"]

    trained = together(job(tmp_path / "two", **SETTINGS, gpus=2, resume=True), told)
    assert (trained.step, trained.complete) == (4, True)
    assert [step for step, _ in told.logged] == [step for step, _ in alone.logged]
    for (_, ours), (_, theirs) in zip(told.logged, alone.logged, strict=True):
        for name in theirs.keys() - {"samples_per_second", "waiting_for_data"}:
            assert ours[name] == pytest.approx(theirs[name], abs=1e-5), name
    files = [tmp_path / which / "resume-4/state.safetensors" for which in ("two", "alone")]
    ours, theirs = map(load_file, files)
    assert ours.keys() == theirs.keys()
    assert all((ours[name] - theirs[name]).abs().max() < 1e-4 for name in theirs)
    left = [sorted(str(path.relative_to(root)) for path in root.rglob("*")) for root in (tmp_path / "two", tmp_path / "alone")]
    assert left[0] == left[1]


@pytest.mark.slow
def test_what_one_process_saved_two_go_on_with(tmp_path: Path) -> None:
    settings = {"batch_size": 2, "max_steps": 2, "save_steps": 1}
    alone, told = Listening(), Listening(dies_at=2)
    train(job(tmp_path / "alone", **settings), alone)
    with pytest.raises(Killed):
        train(job(tmp_path / "both", **settings), told)
    told.dies_at = None
    together(job(tmp_path / "both", **settings, gpus=2, resume=True), told)
    assert [step for step, _ in told.losses()] == [1, 2]
    assert told.losses()[1][1] == pytest.approx(alone.losses()[1][1], abs=1e-5)


def test_what_a_process_refuses_is_the_line_of_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^Give --checkpoint .*$") as error:
        together(job(tmp_path, gpus=2, init=None), Listening())
    assert "\n" not in str(error.value)


def test_a_process_with_a_gpu_says_which_one_it_waits_for_the_others_with(tmp_path: Path, monkeypatch) -> None:
    asked: list[dict[str, object]] = []
    for name, value in {"is_available": True, "device_count": 2, "set_device": None}.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda backend, **options: asked.append({backend: options}))
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    for device in ("auto", "cpu"):
        Group(Place(0, 2, tmp_path / "meeting"), device)
    assert [{name: options["device_id"] for name, options in each.items()} for each in asked] == [
        {"nccl": torch.device("cuda", 0)}, {"gloo": None}
    ]  # fmt: skip


def test_more_gpus_than_there_are_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--gpus 64 is not possible: (torch finds no GPU|1?[0-9] can be seen here)") as error:
        Group(Place(63, 64, tmp_path / "meeting"), "auto")
    assert "\n" not in str(error.value)


def test_a_step_that_cannot_be_shared_equally_is_refused(cli, tmp_path: Path) -> None:
    code, _, err = cli("train", "--init", "tiny", "--dataset", "d", "--batch-size", 5, "--gpus", 2, "--out", tmp_path / "out")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "--gpus 2 cannot share a --batch-size of 5" in err
    assert not (tmp_path / "out").exists()


def test_processes_that_end_between_two_looks_are_not_waited_for() -> None:
    ended = SimpleNamespace(open=False, process=SimpleNamespace(is_alive=lambda: False))
    waiting = threading.Thread(target=_hear, args=([ended], None, None), daemon=True)
    waiting.start()
    waiting.join(10)
    assert not waiting.is_alive()
