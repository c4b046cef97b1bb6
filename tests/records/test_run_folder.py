"""A run folder survives crashes and refuses what would spoil it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest
from scripted_runs import scripted_run

from eval.errors import UserError
from eval.records.folder import RunFolder, load_run
from eval.records.header import AssetsRecord, WorldIdentity, WorldRecord
from eval.records.options import RunOptions
from eval.records.results import EpisodeRecord, RecordKey, by_episode
from eval.records.tables import markdown, summary, title
from eval.rollout.policy_calls import PolicyNeeds
from eval.rollout.run import new_header
from policies.registry import describe, load_policy


def header_of(plan, policy="random"):
    """As a run of these episodes begins."""
    player, world = load_policy(policy), WorldIdentity(name="fake_world")
    options, description = RunOptions(policy=policy, world="fake_world"), describe(player, policy)
    return new_header(plan, options, PolicyNeeds.of(player), world, description)


def record_of(spec, status="success"):
    good = status == "success"
    return EpisodeRecord(
        id=spec.id,
        task=spec.task,
        setting=spec.setting,
        variant=spec.variant,
        status=status,
        success_last=good,
        success_any=good,
    )


@pytest.fixture
def plan(make_spec):
    return [make_spec(i, variant=f"v{i // 3}") for i in range(6)]


def test_continues_by_episode_id(tmp_path, plan):
    with RunFolder(tmp_path / "run", plan, header_of(plan)) as run:
        run.append(record_of(plan[1]))
    with RunFolder(tmp_path / "run", plan, header_of(plan)) as run:
        assert [turn.spec.index for turn in run.open_episodes()] == [0, 2, 3, 4, 5]
    assert load_run(tmp_path / "run").plan == tuple(plan)


@pytest.mark.parametrize("tail", [b'{"id": "abc", "task"', b'{"id": "ab\n'])
def test_half_written_last_line_is_run_again(tmp_path, plan, tail):
    with RunFolder(tmp_path / "run", plan, header_of(plan)) as run:
        run.append(record_of(plan[0]))
    with (tmp_path / "run/episodes.jsonl").open("ab") as file:
        file.write(tail)
    assert list(load_run(tmp_path / "run").records) == [RecordKey(plan[0].id)]
    with RunFolder(tmp_path / "run", plan, header_of(plan)) as run:
        run.append(record_of(plan[1]))
    assert [key.episode for key in load_run(tmp_path / "run").records] == [plan[0].id, plan[1].id]


def test_damage_before_the_last_line_is_named(tmp_path, plan):
    with RunFolder(tmp_path / "run", plan, header_of(plan)) as run:
        run.append(record_of(plan[0]))
    file = tmp_path / "run/episodes.jsonl"
    file.write_bytes(b"nonsense\n" + file.read_bytes())
    with pytest.raises(UserError, match="Line 1 of"):
        load_run(tmp_path / "run")


def test_second_process_is_refused(tmp_path, plan):
    with RunFolder(tmp_path / "run", plan, header_of(plan)):
        code = (
            "import sys; from pathlib import Path; from eval.errors import UserError\n"
            "from eval.records.folder import RunFolder, load_run\n"
            "run = load_run(Path(sys.argv[1]))\n"
            "try: RunFolder(run.path, run.plan, run.header)\n"
            "except UserError as e: print(e); sys.exit(2)\n"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "run")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Another process is writing" in done.stdout


def test_another_plan_or_policy_is_refused(tmp_path, plan):
    RunFolder(tmp_path / "run", plan, header_of(plan)).close()
    with pytest.raises(UserError, match="another plan"):
        RunFolder(tmp_path / "run", plan[:3], header_of(plan[:3]))
    with pytest.raises(UserError, match=r"another plan \(as many episodes, 6, but not the same ones\)"):
        RunFolder(tmp_path / "run", plan[::-1], header_of(plan[::-1]))
    with pytest.raises(UserError, match=r"policy\.name 'random', this one has 'oracle'"):
        RunFolder(tmp_path / "run", plan, header_of(plan, "oracle"))
    RunFolder(tmp_path / "run", plan, header_of(plan)).close()  # a refusal leaves no lock behind


def test_foreign_folder_and_unwritable_folder_are_refused(tmp_path, plan):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        RunFolder(tmp_path, plan, header_of(plan))
    with pytest.raises(UserError, match="Cannot write the results folder"):
        RunFolder(tmp_path / "thesis.tex" / "run", plan, header_of(plan))


def test_full_disk_is_one_clear_line_and_loses_nothing(tmp_path, plan, monkeypatch):
    with RunFolder(tmp_path / "run", plan, header_of(plan)) as run:
        run.append(record_of(plan[0]))
        real_write = os.write

        def half_a_line(handle, data):
            real_write(handle, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", half_a_line)
        with pytest.raises(UserError, match=r"No space left on device; free some space"):
            run.append(record_of(plan[1]))
        monkeypatch.undo()
    with RunFolder(tmp_path / "run", plan, header_of(plan)) as run:
        assert list(run.records) == [RecordKey(plan[0].id)]


def test_table_keeps_failed_errored_and_missing_apart(plan):
    statuses = ["success", "success", "failure", "errored"]
    records = {RecordKey(s.id): record_of(s, status) for s, status in zip(plan, statuses, strict=False)}
    table = summary(plan, records).set_index("variant")
    assert table.loc["v0", ["n", "successes", "errored", "missing"]].tolist() == [3, 2, 0, 0]
    assert table.loc["v1", ["n", "errored", "missing"]].tolist() == [0, 1, 2]
    assert table.loc["v0", "rate"] == pytest.approx(2 / 3)
    # 95 % Wilson interval of 2 of 3, worked out by hand from its formula
    assert table.loc["v0", ["low", "high"]].tolist() == pytest.approx([0.2077, 0.9385], abs=1e-4)
    assert table.isna().loc["all", "rate"]
    assert summary(plan, records, partial=True).set_index("variant").loc["all", "rate"] == pytest.approx(2 / 3)


def test_title_confesses_stand_ins(tmp_path, plan):
    world = WorldRecord(name="SAPIEN 3", assets=AssetsRecord(stand_ins=("can.glb", "plate.glb")))
    data = scripted_run(tmp_path / "run", plan, "------", recorded=world)
    text = markdown(summary(data.plan, data.records), title(data.header))
    assert text.startswith("# random in SAPIEN 3 (STAND-INS for 2 asset files")
    assert "| fake_task | visual_matching | v0 | 0 | 0 | not played | 0 | 3 |" in text


def test_every_repeat_of_an_episode_is_kept_and_counted(tmp_path, plan):
    with RunFolder(tmp_path / "run", plan, header_of(plan)) as run:
        run.write_header(run.header.model_copy(update={"repeats": 3}))
        for repeat, status in enumerate(["success", "failure", "success"]):
            run.append(record_of(plan[0], status).model_copy(update={"repeat": repeat}))
        run.append(record_of(plan[1]))
    data = load_run(tmp_path / "run")
    assert [record.status for record in data.records_of(plan[0].id)] == ["success", "failure", "success"]
    assert data.record(plan[0].id, repeat=1).status == "failure"
    assert data.record(plan[5].id) is None
    assert data.records_of(plan[5].id) == ()
    assert {episode: len(records) for episode, records in by_episode(data.records).items()} == {plan[0].id: 3, plan[1].id: 1}
    table = summary(data.plan, data.records).set_index("variant")
    assert table.loc["v0", ["n", "successes", "missing"]].tolist() == [4, 3, 1]


def test_the_run_record_survives_the_disk_unchanged(tmp_path, plan):
    data = scripted_run(tmp_path / "run", plan, policy_args={"seed": "3"}, video="failures", workers=1)
    assert data.header == load_run(tmp_path / "run").header
    content = json.loads((tmp_path / "run/run.json").read_text())
    assert content["schema_version"] == 2
    assert data.header.options.model_dump(mode="json") == content["options"]
    assert data.header.identity.policy.seed == 3


def test_a_session_more_is_recorded_with_its_own_options(tmp_path, plan):
    scripted_run(tmp_path / "run", plan, "sss---", workers=1)
    header = scripted_run(tmp_path / "run", plan, workers=2, watchdog=9.0).header
    assert [session.options.workers for session in header.sessions] == [1, 2]
    assert (header.options.workers, header.options.watchdog) == (2, 9.0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"schema_version": 2', '"schema_version": 3', r"another version of simpler-eval \(3\)"),
        ('\n  "episodes": 6', '\n  "episodes": "six"', "is damaged .episodes: "),
        ('\n  "episodes": 6', '\n  "surprise": 1, "episodes": 6', r"more than this version of simpler-eval knows \(surprise\)"),
        ("{", "[", "is damaged"),
    ],
)
def test_a_damaged_run_record_is_one_line(tmp_path, plan, old, new, words):
    scripted_run(tmp_path / "run", plan)
    file = tmp_path / "run/run.json"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(UserError, match=words) as caught:
        load_run(tmp_path / "run")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[1:], r"plan\.jsonl \(5 episodes\) is not the plan that run\.json was written for \(6 episodes\)"),
        (lambda lines: [lines[0].replace(b'"max_steps":5', b'"max_steps":6'), *lines[1:]], "is not the plan"),
        (lambda lines: [b"\xff\xfe\x00\n", *lines[1:]], "is damaged or of another version"),
    ],
)
def test_a_plan_that_lost_or_changed_a_line_is_one_line(tmp_path, plan, change, words):
    scripted_run(tmp_path / "run", plan)
    file = tmp_path / "run/plan.jsonl"
    before = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(change(before)))
    assert file.read_bytes().splitlines(keepends=True) != before
    with pytest.raises(UserError, match=words) as caught:
        load_run(tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_a_remark_of_several_lines_stays_in_the_title(tmp_path, plan):
    data = scripted_run(tmp_path / "run", plan)
    policy = data.header.policy.model_copy(update={"remarks": ("half\n trained", "b")})
    assert "(half trained, b) in" in title(data.header.model_copy(update={"policy": policy}), data.plan)
