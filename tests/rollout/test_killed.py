"""Whatever kills a run, the same command continues it and the table comes out the same."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval.cli import main
from eval.records.folder import load_run

SCRIPT = Path(__file__).with_name("interrupted_run.py")
EPISODES = 60


@pytest.fixture
def command(tmp_path, make_spec):
    plan = tmp_path / "plan"
    specs = [make_spec(i, variant=f"v{i % 3}", max_steps=40) for i in range(EPISODES)]
    plan.write_text("".join(spec.model_dump_json() + "\n" for spec in specs))
    return lambda out, video="none": [sys.executable, str(SCRIPT), str(out), str(plan), video]


def _records(out: Path) -> int:
    file = out / "episodes.jsonl"
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def test_killed_at_ten_moments_and_resumed_gives_the_same_table(tmp_path, command):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(command(whole), check=True)
    draw, kills = random.Random(0), 0
    for _ in range(10):  # moments by progress, not by the clock: a busy machine must not decide whether a kill strikes
        wanted = _records(broken) + draw.randint(0, 4)
        process = subprocess.Popen(command(broken), stderr=subprocess.DEVNULL)
        while process.poll() is None and _records(broken) < wanted:
            time.sleep(0.002)
        time.sleep(draw.uniform(0.0, 0.05))
        kills += int(process.poll() is None)
        process.kill()
        process.wait()
    subprocess.run(command(broken), check=True)
    for table in ("tables/summary.csv", "tables/summary.md"):
        assert (broken / table).read_text() == (whole / table).read_text()
    lines = (broken / "episodes.jsonl").read_text().splitlines()
    assert len(lines) == len(load_run(broken).records) == EPISODES  # nothing twice, nothing lost
    assert kills >= 3
    assert len(load_run(broken).header["sessions"]) >= 3


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path, make_spec, monkeypatch, capsys):
    import eval.cli.running as running
    from eval.rollout.api import run

    plan = [make_spec(i) for i in range(8)]
    monkeypatch.setattr(running, "plan_of", lambda *_: plan)

    def run_until_third(*args, listener, **options):
        def listen(record):
            listener(record)
            if len(load_run(tmp_path / "run").records) == 3:
                raise KeyboardInterrupt

        return run(*args, listener=listen, world="fake_world", **options)

    monkeypatch.setattr(running, "run", run_until_third)
    with pytest.raises(SystemExit) as end:
        main(["run", "--policy", "random", "--out", str(tmp_path / "run"), "--video", "none"])
    assert end.value.code == 130
    assert f"3 of 8 episodes are done. Continue with: simpler-eval run --resume {tmp_path}" in capsys.readouterr().err
    monkeypatch.setattr(running, "run", lambda *a, **o: run(*a, world="fake_world", **o))
    with pytest.raises(SystemExit) as end:
        main(["run", "--resume", str(tmp_path / "run")])
    assert end.value.code == 0
    assert len(load_run(tmp_path / "run").records) == 8
