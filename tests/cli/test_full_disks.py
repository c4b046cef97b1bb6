"""What was asked for and is not on disk is said, and no exit code 0; once there is room, the same command makes it whole."""

from __future__ import annotations

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
