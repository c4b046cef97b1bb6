"""The scripts of docs/training.md, walked from the first step to the last with a tiny model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from page_shell import Shell, line

pytest.importorskip("torch", reason="torch is not installed (make vla)")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")

REPO = Path(__file__).parents[2]
TINY = {
    "COUNT": "2", "ROUND": "1", "STEPS": "2", "MORE": "1", "BATCH": "2", "JUDGED": "1", "CURVE": "1", "DEVICE": "cpu",
    "INIT": "tiny", "HELD_OUT": "0", "OMP_NUM_THREADS": "1", "RUN": f"{sys.executable} -m simpler_eval",
    "PYTHON": sys.executable, "PYTHONPATH": str(REPO),
}  # fmt: skip


def call(script: str, *steps: object, **settings: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **TINY, **{name: str(value) for name, value in settings.items()}}
    command = ["bash", str(REPO / "docs/training" / script), *map(str, steps)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_step_without_what_it_needs_and_one_without_time_say_so(tmp_path: Path) -> None:
    early = call("loop.sh", "train", FOLDER=tmp_path)
    assert (early.returncode, "begin with: loop.sh record" in early.stderr) == (2, True)
    assert call("question.sh", "next", FOLDER=tmp_path).returncode == 2
    late = call("loop.sh", "record", FOLDER=tmp_path, MINUTES=0.11, RUN=f"{sys.executable} -c __import__('time').sleep(60)")
    assert (late.returncode, "call this step again" in late.stderr) == (75, True)
    assert "keep DIR" in call("loop.sh", FOLDER=tmp_path).stdout


STUB = """
import json, pathlib, sys
verb, *words = sys.argv[1:]
after = lambda name: pathlib.Path(words[words.index(name) + 1])
out = after("--resume") if "--resume" in words else after("--out")
with open(out.parent / "called", "a") as file:
    print(verb, *words, file=file)
if verb == "record":
    for name in sys.argv[0].rpartition("stub-")[2].removesuffix(".py").split("+"):
        if name != "none":
            (out / "dataset" / name).mkdir(parents=True, exist_ok=True)
    print(json.dumps({"successes": 1}, indent=2))
elif verb == "train":
    if "77" in words:
        sys.exit("broken")
    (out / "checkpoint-2").mkdir(parents=True, exist_ok=True)
    (out / "options.json").write_text("{}")
    (out / "log.jsonl").write_text('{"step": 2}\\n')
    print(json.dumps({"checkpoint": str(out / "checkpoint-2"), "step": 2, "complete": True}, indent=2))
else:
    print(json.dumps({"played": str(after("--checkpoint"))}))
"""
"""In the place of simpler-eval: leaves what the scripts go on with."""


@pytest.fixture
def stub(tmp_path: Path) -> Callable[..., str]:
    """What RUN is then; the datasets that ``record`` leaves are given."""

    def run(*datasets: str) -> str:
        path = tmp_path / f"stub-{'+'.join(datasets)}.py"
        path.write_text(STUB)
        return f"{sys.executable} {path}"

    return run


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"STEPS": "abc"}, "STEPS=abc is no whole number"),
        ({"COUNT": "1e3"}, "COUNT=1e3 is no whole number"),
        ({"SEED": "-1"}, "SEED=-1 is no whole number"),
        ({"ROUND": "08"}, "ROUND=08 is no whole number"),
        ({"BATCH": "9" * 30}, "is no whole number"),
        ({"TRACE": "yes"}, "TRACE=yes must be 0 or 1"),
        ({"AUGMENT": "true"}, "AUGMENT=true must be 0 or 1"),
        ({"MINUTES": "abc"}, "MINUTES=abc is no number of minutes"),
        ({"MINUTES": "7m"}, "MINUTES=7m is no number of minutes"),
        ({"MINUTES": "0"}, "MINUTES=0 is too short"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_one_line(stub: Callable[..., str], tmp_path: Path, settings, said: str) -> None:
    done = call("loop.sh", "record", FOLDER=tmp_path, RUN=stub("widowx"), **settings)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert said in done.stderr
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("minutes", ["0.5", ".5", "08", "7"])
def test_minutes_may_be_parts_of_one(stub: Callable[..., str], tmp_path: Path, minutes: str) -> None:
    done = call("loop.sh", "record", FOLDER=tmp_path, RUN=stub("widowx"), MINUTES=minutes)
    assert done.returncode == 0, done.stderr


def test_any_folder_will_do(stub: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / 'a "loop" of mine, für Übung'
    for step in ("record", "train", "judge"):
        done = call("loop.sh", step, FOLDER=folder, RUN=stub("widowx"))
        assert done.returncode == 0, done.stderr
    assert results(folder)[-1]["said"]["played"] == str(folder / "train-0/checkpoint-2")


def test_the_eleventh_training_is_newer_than_the_tenth(stub: Callable[..., str], tmp_path: Path) -> None:
    run = stub("widowx")
    for step in ("record", "train", *["improve"] * 10, "judge"):
        assert call("loop.sh", step, FOLDER=tmp_path, RUN=run).returncode == 0
    assert results(tmp_path)[-1]["step"] == "judged-train-10"
    assert call("loop.sh", "judge", FOLDER=tmp_path, RUN=run, MODEL=3).returncode == 0
    assert results(tmp_path)[-1]["step"] == "judged-train-3"
    assert call("loop.sh", "judge", FOLDER=tmp_path, RUN=run, MODEL=11).returncode == 2
    kept = tmp_path / "kept"
    assert call("loop.sh", "keep", kept, FOLDER=tmp_path, RUN=run).returncode == 0
    names = [json.loads(line)["training"] for line in (kept / "log.jsonl").read_text().splitlines()]
    assert names == [f"train-{number}" for number in range(11)]


@pytest.mark.parametrize(
    ("datasets", "said"), [(("none",), "no episode succeeded"), (("one", "two"), "holds several datasets")], ids=str
)
def test_a_recording_without_one_dataset_says_so(stub: Callable[..., str], tmp_path: Path, datasets, said: str) -> None:
    done = call("loop.sh", "record", FOLDER=tmp_path, RUN=stub(*datasets))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert said in done.stderr


def test_a_recording_whose_step_was_killed_at_its_end_is_told_of_once(stub: Callable[..., str], tmp_path: Path) -> None:
    for _ in range(2):
        assert call("loop.sh", "record", FOLDER=tmp_path, RUN=stub("widowx")).returncode == 0
        (tmp_path / "demos/dataset.txt").unlink()
    assert [line["step"] for line in results(tmp_path)] == ["demos"]


def test_a_training_that_fails_leaves_the_others_their_time(stub: Callable[..., str], tmp_path: Path) -> None:
    question(tmp_path)
    done = call("question.sh", "next", FOLDER=tmp_path, RUN=stub("widowx"), SEEDS="77 5", CARDS=4)
    assert done.returncode not in (0, 75)
    assert [(tmp_path / f"{way}-5/train-0/complete").is_file() for way in ("trace", "plain")] == [True, True]
    for settings in ({"CARDS": "two"}, {"CARDS": "0"}, {"SEEDS": "0 x"}):
        assert call("question.sh", "next", FOLDER=tmp_path, RUN=stub("widowx"), **settings).returncode == 2


def question(folder: Path) -> None:
    """As if its demonstrations were recorded."""
    (folder / "demos").mkdir()
    for name in ("dataset.txt", "traces.txt"):
        (folder / "demos" / name).write_text("data\n")


@pytest.mark.parametrize("cards", [1, 2])
def test_a_model_is_judged_while_the_next_is_trained(stub: Callable[..., str], tmp_path: Path, cards: int) -> None:
    question(tmp_path)
    said, code = [], 75
    while code == 75:
        done = call("question.sh", "next", FOLDER=tmp_path, RUN=stub("widowx"), SEEDS="0 1", CARDS=cards)
        code = done.returncode
        said.append([each.removeprefix("question.sh: ") for each in done.stdout.splitlines() if each.startswith("question.sh")])
    order = ["trace, seed 0", "plain, seed 0", "trace, seed 1", "plain, seed 1"]
    trained = [[f"train {each}" for each in order[at : at + cards]] for at in range(0, 4, cards)]
    judged = [[f"judge {each}" for each in order[at : at + cards]] for at in range(0, 4, cards)]
    assert code == 0, done.stderr
    assert said == [train + judge for train, judge in zip([*trained, []], [[], *judged], strict=True)]


def test_ctrl_c_ends_the_training_and_the_judgement_beside_it(tmp_path: Path) -> None:
    question(tmp_path)
    (tmp_path / "trace-0/train-0").mkdir(parents=True)
    (tmp_path / "trace-0/train-0/complete").write_text("a model\n")
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import os, pathlib, signal, sys, time\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "def end(*_):\n    (folder / f'ended-{sys.argv[1]}').touch()\n    os._exit(130)\n"
        "signal.signal(signal.SIGINT, end)\n"
        "(folder / f'begun-{sys.argv[1]}').touch()\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, **TINY, "FOLDER": str(tmp_path), "RUN": f"{sys.executable} {slow}", "SEEDS": "0"}
    command = ["bash", str(REPO / "docs/training/question.sh"), "next"]
    running = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wanted = {"train", "run"}

    def marked(word: str) -> set[str]:
        return {path.name.removeprefix(f"{word}-") for path in tmp_path.glob(f"{word}-*")}

    wait_until(lambda: marked("begun") == wanted)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the script, not to the jobs that have groups of their own
    running.communicate(timeout=30)
    assert (marked("ended"), running.returncode != 0) == (wanted, True)


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "30 s"
        time.sleep(0.05)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """In a folder that has the scripts where the pages have them."""
    (tmp_path / "docs").symlink_to(REPO / "docs")
    settings = {name: value for name, value in TINY.items() if name not in ("RUN", "PYTHON", "PYTHONPATH")}
    return Shell(tmp_path, **settings, ARGS="--workers 1")


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_the_loop_from_demonstrations_to_a_judged_model(shell: Shell) -> None:
    """docs/training.md."""
    for begins in ("loop.sh record ", "loop.sh improve ", "loop.sh round", "loop.sh curve"):
        shell.run(line("docs/training.md", f"docs/training/{begins}"))
    loop, kept = shell.folder / "results/loop", shell.folder / "results/kept"
    lines = results(loop)
    assert [line["step"] for line in lines[:5]] == ["demos", "train-0", "dagger-0", "train-1", "judged-train-1"]
    assert {line["step"] for line in lines[5:7]} == {"dagger-1", "train-2"}
    points = lines[7]["said"]["points"]
    assert [(point["step"], point["n"]) for point in points] == [(2, 1), (1, 1), (1, 1)], "every training, in their order"
    assert (loop / "curve/checkpoints.png").is_file()
    assert lines[2]["said"]["played"] == 1
    assert lines[4]["said"]["rows"][0]["n"] == 1
    record = json.loads((loop / "train-1/checkpoint-1/training.json").read_text())
    assert [each["episodes"] for each in record["datasets"]] == [lines[0]["said"]["successes"], 1]
    assert (loop / "dagger-1.model").read_text().strip().endswith("train-1/checkpoint-1")
    record = json.loads((loop / "train-2/checkpoint-1/training.json").read_text())
    assert len(record["datasets"]) == 2, "what was played at the same time is for the next round"
    assert results(kept) == lines[:5]
    with tarfile.open(fileobj=BytesIO(b"".join(part.read_bytes() for part in sorted(kept.glob("model.tar.*"))))) as packed:
        assert "checkpoint-1/training.json" in packed.getnames()


@pytest.mark.slow
def test_the_loop_of_the_readme(shell: Shell) -> None:
    steps = ("record", "train", "round", "improve", "judge", "keep")
    for step in steps:
        shell.run(line("README.md", f"docs/training/loop.sh {step}"))
    done = [line["step"] for line in results(shell.folder / "results/kept")]
    assert (done[:2], {*done[2:4]}, done[4:]) == (
        ["demos", "train-0"], {"dagger-0", "train-1"}, ["train-2", "judged-train-2"]
    )  # fmt: skip


@pytest.mark.slow
def test_the_effect_of_the_trace(shell: Shell) -> None:
    """docs/training.md; two seeds, since one has no spread."""
    shell.environment["SEEDS"] = "0 1"
    record, following, effect = line("docs/training.md", "question.sh record").split("; ")
    shell.run(record)
    for left in reversed(range(5)):  # of four trainings, each but the first beside the judgement of the one before
        shell.run(following, code=75 if left else 0)
    said = json.loads(shell.run(effect))
    assert (len(said["trace"]), len(said["plain"]), said["placements"]) == (2, 2, 1)
    assert said["interval_95"][0] <= said["difference"] <= said["interval_95"][1]
