"""A run folder survives crashes and refuses what would spoil it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from eval.errors import UserError
from eval.records.folder import RunFolder, load_run
from eval.records.results import EpisodeRecord
from eval.records.tables import markdown, summary, title

HEADER = {"identity": {"policy": "oracle"}}


def record_of(spec, status="success"):
    return EpisodeRecord(id=spec.id, task=spec.task, setting=spec.setting, variant=spec.variant, status=status)


@pytest.fixture
def plan(make_spec):
    return [make_spec(i, variant=f"v{i // 3}") for i in range(6)]


def test_continues_by_episode_id(tmp_path, plan):
    with RunFolder(tmp_path / "run", plan, HEADER) as run:
        run.append(record_of(plan[1]))
    with RunFolder(tmp_path / "run", plan, HEADER) as run:
        assert [s.index for s in run.open_episodes()] == [0, 2, 3, 4, 5]
    assert load_run(tmp_path / "run").plan == tuple(plan)


@pytest.mark.parametrize("tail", [b'{"id": "abc", "task"', b'{"id": "ab\n'])
def test_half_written_last_line_is_run_again(tmp_path, plan, tail):
    with RunFolder(tmp_path / "run", plan, HEADER) as run:
        run.append(record_of(plan[0]))
    with (tmp_path / "run/episodes.jsonl").open("ab") as file:
        file.write(tail)
    assert list(load_run(tmp_path / "run").records) == [plan[0].id]
    with RunFolder(tmp_path / "run", plan, HEADER) as run:
        run.append(record_of(plan[1]))
    assert list(load_run(tmp_path / "run").records) == [plan[0].id, plan[1].id]


def test_damage_before_the_last_line_is_named(tmp_path, plan):
    with RunFolder(tmp_path / "run", plan, HEADER) as run:
        run.append(record_of(plan[0]))
    file = tmp_path / "run/episodes.jsonl"
    file.write_bytes(b"nonsense\n" + file.read_bytes())
    with pytest.raises(UserError, match="Line 1 of"):
        load_run(tmp_path / "run")


def test_second_process_is_refused(tmp_path, plan):
    with RunFolder(tmp_path / "run", plan, HEADER):
        code = (
            "import sys; from pathlib import Path; from eval.errors import UserError\n"
            "from eval.records.folder import RunFolder\n"
            "try: RunFolder(Path(sys.argv[1]), [], {})\n"
            "except UserError as e: print(e); sys.exit(2)\n"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "run")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Another process is writing" in done.stdout


def test_another_plan_or_policy_is_refused(tmp_path, plan):
    RunFolder(tmp_path / "run", plan, HEADER).close()
    with pytest.raises(UserError, match="another plan"):
        RunFolder(tmp_path / "run", plan[:3], HEADER)
    with pytest.raises(UserError, match="policy 'oracle'"):
        RunFolder(tmp_path / "run", plan, {"identity": {"policy": "random"}})
    RunFolder(tmp_path / "run", plan, HEADER).close()  # a refusal leaves no lock behind


def test_foreign_folder_and_unwritable_folder_are_refused(tmp_path, plan):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        RunFolder(tmp_path, plan, HEADER)
    with pytest.raises(UserError, match="Cannot write the results folder"):
        RunFolder(tmp_path / "thesis.tex" / "run", plan, HEADER)


def test_full_disk_is_one_clear_line_and_loses_nothing(tmp_path, plan, monkeypatch):
    with RunFolder(tmp_path / "run", plan, HEADER) as run:
        run.append(record_of(plan[0]))
        real_write = os.write

        def half_a_line(handle, data):
            real_write(handle, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", half_a_line)
        with pytest.raises(UserError, match=r"No space left on device; free some space"):
            run.append(record_of(plan[1]))
        monkeypatch.undo()
    with RunFolder(tmp_path / "run", plan, HEADER) as run:
        assert list(run.records) == [plan[0].id]


def test_table_keeps_failed_errored_and_missing_apart(plan):
    statuses = ["success", "success", "failure", "errored"]
    records = {s.id: record_of(s, status) for s, status in zip(plan, statuses, strict=False)}
    table = summary(plan, records).set_index("variant")
    assert table.loc["v0", ["n", "successes", "errored", "missing"]].tolist() == [3, 2, 0, 0]
    assert table.loc["v1", ["n", "errored", "missing"]].tolist() == [0, 1, 2]
    assert table.loc["v0", "rate"] == pytest.approx(2 / 3)
    # 95 % Wilson interval of 2 of 3, worked out by hand from its formula
    assert table.loc["v0", ["low", "high"]].tolist() == pytest.approx([0.2077, 0.9385], abs=1e-4)
    assert table.isna().loc["all", "rate"]
    assert summary(plan, records, partial=True).set_index("variant").loc["all", "rate"] == pytest.approx(2 / 3)


def test_title_confesses_standins(plan):
    header = {**HEADER, "world": {"name": "SAPIEN 3", "assets": {"standins": ["can.glb", "plate.glb"]}}}
    text = markdown(summary(plan, {}), title(header))
    assert text.startswith("# oracle in SAPIEN 3 (STAND-INS for 2 asset files")
    assert "| fake_task | visual_matching | v0 | 0 | 0 |  |  |  | 0 | 3 |" in text
