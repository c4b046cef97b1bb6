"""A run folder that was damaged or edited: whoever reads it learns which file and which line, and nothing hangs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted_runs import scripted_run

from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.folder import RunFolder, know_tasks, load_run

Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three episodes of the user's own task: success, failure, errored."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "mine.yaml").write_text("extends: widowx_carrot_on_plate\nmax_steps: 9\n")
    before = os.environ.pop("SIMPLER_EVAL_TASKS", None)
    scripted_run(folder / "run", make_plan(tasks=[str(folder / "mine.yaml")], limit=3), "sfe")
    os.environ.pop("SIMPLER_EVAL_TASKS")
    if before is not None:
        os.environ["SIMPLER_EVAL_TASKS"] = before
    return folder / "run"


@pytest.fixture
def run(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "run"))


def text(name: str, content: str | bytes) -> Change:
    return lambda run: (run / name).write_bytes(content if isinstance(content, bytes) else content.encode()) and None


def lines(name: str, change: Callable[[list[bytes]], list[bytes]]) -> Change:
    def changed(run: Path) -> None:
        (run / name).write_bytes(b"".join(change((run / name).read_bytes().splitlines(keepends=True))))

    return changed


def replaced(name: str, right: str, wrong: str) -> Change:
    def changed(run: Path) -> None:
        before = (run / name).read_text()
        assert right in before
        (run / name).write_text(before.replace(right, wrong, 1))

    return changed


def header(**fields: object) -> Change:
    return lambda run: (run / "run.json").write_text(json.dumps(json.loads((run / "run.json").read_text()) | fields)) and None


def record(number: int, **fields: object) -> Change:
    def change(found: list[bytes]) -> list[bytes]:
        found[number] = json.dumps(json.loads(found[number]) | fields).encode() + b"\n"
        return found

    return lines("episodes.jsonl", change)


def further(number: int, **fields: object) -> Change:
    return lines("episodes.jsonl", lambda found: [*found, json.dumps(json.loads(found[number]) | fields).encode() + b"\n"])


def instead(name: str, make: Callable[[Path], object]) -> Change:
    def changed(run: Path) -> None:
        (run / name).unlink()
        make(run / name)

    return changed


PIPE, FOLDER = os.mkfifo, Path.mkdir
ZERO: Callable[[Path], object] = lambda path: path.symlink_to("/dev/zero")  # noqa: E731
NOWHERE: Callable[[Path], object] = lambda path: path.symlink_to("nowhere")  # noqa: E731
FAILED = {"status": "failure", "success_last": False, "success_any": False}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (text("run.json", "[]"), "run.json is damaged (it is no JSON object)"),
        (text("run.json", "null"), "run.json is damaged (it is no JSON object)"),
        (text("run.json", "{}"), "run.json is of another version of simpler-eval (which is not said)"),
        (text("run.json", '{"schema_version": 2, "iden'), "run.json is damaged (Unterminated string"),
        (text("run.json", b"\xff\xfe"), "run.json is damaged or of another version (no UTF-8 text"),
        (text("run.json", "[" * 100_000), "run.json is damaged (lists and objects too deep"),
        (text("run.json", '{"schema_version": NaN}'), "run.json is damaged (NaN is no number of JSON)"),
        (text("run.json", '{"schema_version": 2, "schema_version": 2}'), 'the key "schema_version" is given twice'),
        (text("run.json", '{"identity": {"policy": []}, "plan_hash": "", "episodes": "x"}'), "run.json"),
        (header(schema_version=3), "another version of simpler-eval (3)"),
        (header(policy=None), "run.json is damaged (policy: "),
        (header(episodes=7), "run.json is damaged: episodes is 7, of its plan 3"),
        (header(seeds=[1]), "run.json is damaged: seeds is [1], of its plan ["),
        (header(repeats=0), "run.json is damaged (repeats: 0)"),
        (header(shard={"shard": "9/2", "episodes": 6, "plan_hash": ""}), "run.json is damaged (shard 9/2 is out of range"),
        (header(shard={"shard": "1/2", "episodes": 20, "plan_hash": ""}), "shard 1/2 of 20 episodes has 10, not 3"),
        (instead("run.json", FOLDER), "run.json: cannot be read (it is a folder"),
        (instead("run.json", PIPE), "run.json: cannot be read (it is a pipe"),
        (instead("run.json", NOWHERE), "run.json: cannot be read (it is a link to nowhere"),
        (text("plan.jsonl", ""), "plan.jsonl (0 episodes) is not the plan that run.json was written for (3 episodes)"),
        (text("plan.jsonl", b"\xff\n"), "plan.jsonl is damaged or of another version (no UTF-8 text"),
        (lines("plan.jsonl", lambda found: found[:-1]), "plan.jsonl (2 episodes) is not the plan"),
        (lines("plan.jsonl", lambda found: [*found, found[0]]), "(3 episodes); episode 4 repeats episode 1"),
        (lines("plan.jsonl", lambda found: [found[0], b"[]\n", *found[1:]]), "Line 2 of "),
        (replaced("plan.jsonl", '"family":"put_on"', '"family":"puton"'), "Line 1 of "),
        (replaced("plan.jsonl", '"robot":"widowx"', '"robot":"widoxw"'), 'names a robot "widoxw". Did you mean "widowx"?'),
        (replaced("plan.jsonl", '"task":"mine"', '"task":"mien"'), 'names a task "mien". Did you mean "mine"?'),
        (replaced("plan.jsonl", '"robot_xy":[0.147', '"robot_xy":[NaN'), "Line 1 of "),
        (replaced("plan.jsonl", '"robot_xy":[0.147', '"robot_xy":[1e999'), "Line 1 of "),
        (instead("plan.jsonl", ZERO), "plan.jsonl: cannot be read (it is a pipe or a device"),
        (instead("plan.jsonl", lambda path: None), "plan.jsonl is missing"),
        (instead("episodes.jsonl", PIPE), "episodes.jsonl: cannot be read (it is a pipe"),
        (instead("episodes.jsonl", ZERO), "episodes.jsonl: cannot be read (it is a pipe or a device"),
        (instead("episodes.jsonl", NOWHERE), "episodes.jsonl: cannot be read (it is a link to nowhere"),
        (lines("episodes.jsonl", lambda found: [b"\xff\n", *found]), "Line 1 of "),
        (lines("episodes.jsonl", lambda found: [*found, b"{}\n"]), "Line 4 of "),
        (record(0, id="v2-0000000000000000"), "is of an episode that is not in the plan (v2-0000000000000000)"),
        (record(1, task="widowx_stack_cube"), "Line 2 of "),
        (record(1, variant="other"), "says variant 'other', but the plan has 'default' for its episode"),
        (record(0, success_last=False), "contradicts itself: it is a success although its last step is not one"),
        (record(1, success_last=True, success_any=True), "contradicts itself: it is a failure although its last step is one"),
        (record(0, success_any=False), "it says success in the last step but not in any"),
        (record(0, first_success_step=7, steps=3), "it says a first success in step 7 of 3"),
        (record(1, first_success_step=2, steps=3), "it says a first success in step 2 but none in any"),
        (record(1, steps=10), "it says 10 steps; its episode has at most 9"),
        (record(1, seconds=float("nan")), "it says nan seconds"),
        (record(1, error="why"), "it is a failure with an error"),
        (record(1, repeat=1), "it is repeat 1 (from 0) of an episode that is played once"),
        (further(0, **FAILED), "Line 4 of "),
        (further(0, **FAILED), "says failure of an episode that is a success in line 1"),
        (replaced("tasks/mine.yaml", "max_steps: 9", "max_steps: 8"), "mine.yaml is not the task that the run was played with"),
        (instead("tasks/mine.yaml", PIPE), "mine.yaml: cannot be read (it is a pipe"),
    ],
)
def test_damage_is_one_line_that_names_it(run: Path, change: Change, said: str) -> None:
    change(run)
    with pytest.raises(UserError) as caught:
        load_run(run)
    assert said in str(caught.value)
    assert str(run) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lines("plan.jsonl", lambda found: [b"\n", *found, b"  \n"]),
        lines("episodes.jsonl", lambda found: [b"\n", found[0], b" \n", *found[1:], b"\n"]),
        lines("episodes.jsonl", lambda found: [*found, found[0]]),
        lines("episodes.jsonl", lambda found: [*found[:-1], found[-1].rstrip(b"\n")]),
        further(2, **FAILED | {"error": None}),
        instead("tasks/mine.yaml", lambda path: None),
        text("tasks/my-notes.yaml", "["),
        text("tasks/widowx_stack_cube.yaml", "["),
    ],
)
def test_what_changes_nothing_is_no_damage(run: Path, change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "")
    change(run)
    data = load_run(run)
    know_tasks(run)
    assert [entry.status for entry in data.records.values()][:2] == ["success", "failure"]
    assert len(data.records) == 3


def test_a_record_whose_line_break_an_editor_took_is_kept(run: Path) -> None:
    before = load_run(run)
    file = run / "episodes.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole.rstrip(b"\n"))
    with RunFolder(run, before.plan, before.header) as folder:
        assert len(folder.records) == 3
    assert file.read_bytes() == whole


def test_a_run_that_may_only_be_read_is_reported_all_the_same(run: Path, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "")
    shutil.rmtree(run / "tables")
    (run / "tables").write_text("in the way of the folder, as a disk that may only be read would be")
    code, out, err = cli("report", run)
    assert code == 1
    assert "mine" in out
    assert "summary.md" not in out
    assert (err.count("\n"), "the tables are not kept" in err) == (1, True)
    code, out, err = cli("report", run, "--out", run / "tables")
    assert (code, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("name", ["nothing", "pipe", "/dev/zero", "x" * 300, "loop"])
def test_what_is_no_run_folder_is_one_line(tmp_path: Path, cli, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    code, out, err = cli("report", name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "give the folder of a run" in err
