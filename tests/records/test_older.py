"""Run folders that version 0.1 wrote (tests/golden/run_folders_v1): read, reported as then, never mixed with newer ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from recordings import GOLDEN

from eval.cli import main
from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.folder import RunFolder, load_run, plan_hash
from eval.records.identity import require_comparable
from eval.records.merging import load_runs
from eval.records.tables import summary, title
from eval.tasks.families import make_rule

FOLDERS = GOLDEN / "run_folders_v1"
CARROT = "widowx_carrot_on_plate"


@pytest.mark.parametrize("name", ["random", "oracle", "openvla", "shard_1", "shard_2", "user_task"])
def test_episodes_keep_the_ids_they_had(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "")
    data = load_run(FOLDERS / name)
    assert data.header.schema_version == 1
    assert {spec.version for spec in data.plan} == {1}
    assert plan_hash(data.plan) == data.header.plan_hash
    assert {key.episode for key in data.records} == {spec.id for spec in data.plan}
    assert all(len(data.records_of(spec.id)) == 1 for spec in data.plan)


@pytest.mark.parametrize("name", ["random", "oracle", "openvla"])
def test_the_tables_are_those_that_were_written_then(name: str) -> None:
    data = load_run(FOLDERS / name)
    then = pd.read_csv(FOLDERS / name / "summary.csv")
    pd.testing.assert_frame_equal(summary(data.plan, data.records)[then.columns], then)
    assert f"# {title(data.header, data.plan)}\n" == (FOLDERS / name / "title.txt").read_text()


def test_what_the_old_plan_did_not_say_comes_from_the_tasks() -> None:
    """All that an episode of today says of the same place; rules can be made of it."""
    old = load_run(FOLDERS / "random").plan
    today = {spec.index: spec for spec in make_plan(tasks=[CARROT], max_steps=4)}
    for spec in old:
        new = today[spec.index]
        assert spec.id != new.id
        assert (spec.rule, spec.physics, spec.lights, spec.hidden) == (new.rule, new.physics, new.lights, new.hidden)
        assert [item.size for item in spec.objects] == [item.size for item in new.objects]
        make_rule(spec)


def test_a_users_task_comes_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "")
    (spec,) = load_run(FOLDERS / "user_task").plan
    assert (spec.task, spec.max_steps, spec.rule.family) == ("my_stack", 7, "put_on")
    assert list(load_run(FOLDERS / "user_task").header.identity.tasks) == ["my_stack"]


def test_the_header_is_read_field_by_field() -> None:
    header = load_run(FOLDERS / "openvla").header
    assert header.identity.policy.weights == "2faa7826d4d559b2d8d25444e802e66c9ee9f58a4d845b3708e6bbb491f51fb1"
    assert (header.identity.policy.dtype, header.identity.world.name) == ("float32", "simpler-eval")
    assert header.policy.remarks == ("RANDOM WEIGHTS",)
    assert header.policy.details["tokens"] == 14
    assert header.options.policy_args == {"checkpoint": "tiny-random"}
    assert (header.options.workers, header.rendered) == (1, "all episodes")
    assert header.sessions[0].git.commit.startswith("98a2cae")
    assert header.world.assets.kind == "stand-ins"


def test_old_shards_are_pooled_with_each_other() -> None:
    merged = load_runs([FOLDERS / "shard_1", FOLDERS / "shard_2"])
    assert (len(merged.plan), len(merged.records)) == (4, 4)
    with pytest.raises(UserError, match=r"has policy.name 'random', .* has 'oracle'"):
        load_runs([FOLDERS / "random", FOLDERS / "oracle"])


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """The run of today with the options of ``random``."""
    from scripted_runs import scripted_run

    plan = make_plan(tasks=[CARROT], limit=3, max_steps=4)
    return scripted_run(tmp_path / "new", plan, world="simpler-eval").path


def test_old_and_new_are_not_mixed(new: Path) -> None:
    old = FOLDERS / "random"
    for check in (lambda: load_runs([old, new]), lambda: require_comparable(load_run(old), load_run(new))):
        with pytest.raises(UserError, match=r"one is a run of version 0\.1, whose episodes have other ids"):
            check()


def test_an_old_run_is_reported_and_not_continued(new: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(FOLDERS / "random", tmp_path / "old")
    before = {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()}
    data = load_run(new)
    with pytest.raises(UserError, match=r"run of version 0\.1; it can be reported but not continued"):
        RunFolder(tmp_path / "old", data.plan, data.header)
    with pytest.raises(SystemExit) as end:
        main(["run", "--resume", str(tmp_path / "old")])
    said = capsys.readouterr()
    assert (end.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "choose another --out" in said.err
    with pytest.raises(SystemExit) as end:
        main(["report", str(tmp_path / "old")])
    assert end.value.code == 0
    assert CARROT in capsys.readouterr().out
    for name, content in before.items():
        assert (tmp_path / "old" / name).read_bytes() == content


def test_a_plan_of_a_task_that_is_gone_is_one_line(tmp_path: Path) -> None:
    shutil.copytree(FOLDERS / "random", tmp_path / "old")
    file = tmp_path / "old" / "plan.jsonl"
    file.write_text(file.read_text().replace(CARROT, "widowx_carot"))
    with pytest.raises(UserError, match=r"of version 0\.1 and cannot be completed: No task \"widowx_carot\""):
        load_run(tmp_path / "old")
    file.write_text(file.read_text().replace("widowx_carot", CARROT).replace('"objects"', '"objekts"'))
    with pytest.raises(UserError, match="damaged or does not fit the tasks of today"):
        load_run(tmp_path / "old")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"plan\.jsonl is damaged"):
        load_run(tmp_path / "old")


def test_an_older_plan_that_lost_a_line_is_one_line(tmp_path: Path) -> None:
    shutil.copytree(FOLDERS / "random", tmp_path / "old")
    file = tmp_path / "old" / "plan.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(UserError, match="is not the plan that"):
        load_run(tmp_path / "old")
