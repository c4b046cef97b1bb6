"""What was asked for and is not on disk is said, and no exit code 0; once there is room, the same command makes it whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from small_disk import on_a_small_disk

from eval.records.folder import load_run

SUPPORT = Path(__file__).parents[1] / "support"
EPISODES = 6
PLAYED = (
    *("run", "--task", "widowx_carrot_on_plate", "--world", "fake_world", "--policy", f"{SUPPORT}/fake_policies.py:Notes"),
    *("--limit", EPISODES, "--max-steps", 20, "--workers", 1),
)


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}:{SUPPORT}")


def simpler_eval(*words):
    return [sys.executable, "-m", "simpler_eval", *words]


@pytest.mark.slow  # four commands
@pytest.mark.parametrize(
    ("size", "asked"),
    [("100k", ("--video", "all")), ("60k", ("--record", "lerobot-lossless"))],
    ids=["videos", "frames"],
)
def test_a_run_that_lacks_videos_or_frames_stops_and_makes_them_when_it_goes_on(tmp_path, size, asked):
    if "--record" in asked:
        pytest.importorskip("pyarrow", reason="the extra datasets is not installed")
    small, roomy = on_a_small_disk(tmp_path, size, simpler_eval(*PLAYED, *asked, "--out", "DISK/run"))
    assert small.code in (1, 2)
    assert "Traceback" not in small.err
    last = small.err.splitlines()[-1]
    assert "No space left on device" in last or last.startswith("  simpler-eval run --resume ")
    assert "(No space left on device): free some space." in small.err
    before, data = load_run(small.left / "run").records, load_run(roomy.left / "run")
    assert before, "a result is kept although its video or its frames are not"
    assert any(record.unwritten == "No space left on device" for record in before.values())
    assert roomy.code == 0
    assert len(data.records) == EPISODES
    for key, record in data.records.items():
        assert record.unwritten is record.video_error is None
        assert key not in before or before[key].status == record.status
        assert "--record" in asked or (data.path / str(record.video)).is_file()
    if "--record" in asked:
        from eval.datasets.reader import LeRobotReader

        assert len(LeRobotReader(data.path / "dataset/widowx").episodes) == EPISODES
    assert not list(data.path.rglob("*.part*"))


def test_a_video_that_cannot_be_encoded_is_no_success_and_no_reason_to_stop(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: "/nowhere/ffmpeg")
    code, _, err = cli(
        *PLAYED[:-6], "--limit", 2, "--max-steps", 2, "--workers", 1, "--video", "all", "--out", tmp_path / "run"
    )
    assert code == 1
    assert "simpler-eval: 2 videos are not written: " in err
    assert len(load_run(tmp_path / "run").records) == 2


def test_a_page_or_tables_that_cannot_be_written_are_no_success(cli, tmp_path, monkeypatch):
    import eval.cli.live_page
    import eval.records.tables

    command = (*PLAYED[:-6], "--limit", 1, "--max-steps", 2, "--workers", 1, "--out", tmp_path / "run")
    assert cli(*command)[0] == 0

    def refused(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(eval.cli.live_page, "_written", refused)
    code, out, err = cli(*command)
    assert (code, "success" in out) == (1, True)
    assert err.splitlines()[-1].startswith("simpler-eval: the page is not kept: ")
    monkeypatch.undo()
    monkeypatch.setattr(eval.records.tables, "write_atomically", refused)
    code, _, err = cli(*command)
    assert code == 2
    assert "No space left on device" in err.splitlines()[-1]
    assert "Traceback" not in err


@pytest.mark.slow  # two commands
@pytest.mark.parametrize("asked", [(), ("--video", "all")], ids=["results", "videos"])
def test_a_run_of_several_replicas_keeps_what_is_done_and_goes_on(tmp_path, asked):
    small, roomy = on_a_small_disk(tmp_path, "70k", simpler_eval(*PLAYED, "--replicas", 2, *asked, "--out", "DISK/run"))
    assert small.code in (1, 2)
    assert "Traceback" not in small.err
    assert "No space left on device" in small.err
    before, data = load_run(small.left / "run").records, load_run(roomy.left / "run")
    assert before
    assert roomy.code == 0
    assert len(data.records) == EPISODES
    assert all(data.records[key].status == record.status for key, record in before.items())
    assert not list(data.path.rglob("*.part*"))


@pytest.mark.slow  # four commands
@pytest.mark.parametrize("size", ["60k", "260k"], ids=["in a run", "at the table"])
def test_checkpoints_say_what_they_found_and_begin_no_further_one(tmp_path, size):
    for step in (1, 2):
        (tmp_path / f"training/step-{step}").mkdir(parents=True)
        (tmp_path / f"training/step-{step}/config.json").write_text("{}")
        (tmp_path / f"training/step-{step}/model.safetensors").write_text(str(step))
    words = ("checkpoints", tmp_path / "training", "--policy", "checkpoint_policies:Trained", *PLAYED[1:5], *PLAYED[7:])
    small, roomy = on_a_small_disk(tmp_path, size, simpler_eval(*words, "--out", "DISK/runs"))
    assert small.code == 2
    assert "Traceback" not in small.err
    assert small.err.splitlines()[-1].endswith("No space left on device; free some space, then continue with the same command.")
    if size == "60k":
        assert "simpler-eval: step-1 has no whole result: Cannot write the results folder" in small.err
        assert "step-2: begins" not in small.err
        assert "simpler-eval: step-2 has no whole result: not begun, as the disk of" in small.err
    rows = [line.split()[:3] for line in small.out.splitlines() if line.startswith("step-")]
    assert rows == ([["step-1", "1", "3"]] if size == "60k" else [["step-1", "1", "50.0"], ["step-2", "2", "50.0"]])
    assert not list(small.left.rglob("*.png")), "no half plot"
    assert roomy.code == 0
    assert (roomy.left / "runs/checkpoints.png").is_file()
    for step in (1, 2):
        assert len(load_run(roomy.left / f"runs/step-{step}").records) == EPISODES


@pytest.mark.slow  # two commands
def test_a_benchmark_prints_what_was_measured_until_then(tmp_path):
    words = ("bench", "end2end", "random", *PLAYED[1:5], *PLAYED[7:], "--out", "DISK/run", "--json")
    small, roomy = on_a_small_disk(tmp_path, "50k", simpler_eval(*words))
    report = json.loads(small.out)
    assert small.code == 2
    assert small.err == f"simpler-eval: {report['problem']}\n"
    assert "No space left on device" in report["problem"]
    assert 0 < report["speed"]["episodes"] < EPISODES
    assert report["speed"]["steps_per_second"] > 0
    assert roomy.code == 0
    rest = json.loads(roomy.out)
    assert rest["problem"] is None
    assert len(load_run(roomy.left / "run").records) == EPISODES
    assert len(load_run(small.left / "run").records) + rest["speed"]["episodes"] == EPISODES
