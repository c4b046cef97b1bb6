"""Whatever kills a run, the same command continues it and the table comes out the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from small_disk import MAKER, skip_where_nobody_mounts

from eval.cli import main
from eval.records.folder import load_run

SCRIPT = Path(__file__).parents[1] / "support" / "interrupted_run.py"
EPISODES = 60


@pytest.fixture
def command(tmp_path, make_spec):
    plan = tmp_path / "plan"
    specs = [make_spec(i, variant=f"v{i % 3}", max_steps=40) for i in range(EPISODES)]
    plan.write_text("".join(spec.model_dump_json() + "\n" for spec in specs))
    return lambda out, *more: [sys.executable, str(SCRIPT), str(out), str(plan), *(more or ["none"])]


def _records(out: Path) -> int:
    file = out / "episodes.jsonl"
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def test_killed_at_ten_moments_and_resumed_gives_the_same_table(tmp_path, command):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(command(whole), check=True)
    rng, kills = random.Random(0), 0
    for _ in range(10):  # moments by progress, not by the clock: a busy machine must not decide whether a kill strikes
        target = _records(broken) + rng.randint(0, 4)
        process = subprocess.Popen(command(broken), stderr=subprocess.DEVNULL)
        while process.poll() is None and _records(broken) < target:
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.05))
        kills += int(process.poll() is None)
        process.kill()
        process.wait()
    subprocess.run(command(broken), check=True)
    for table in ("tables/summary.csv", "tables/summary.md"):
        assert (broken / table).read_text() == (whole / table).read_text()
    lines = (broken / "episodes.jsonl").read_text().splitlines()
    assert len(lines) == len(load_run(broken).records) == EPISODES  # nothing twice, nothing lost
    assert kills >= 3
    assert len(load_run(broken).header.sessions) >= 3


def _workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    except OSError:
        return []


def test_workers_of_several_episodes_and_the_run_itself_killed_at_any_moment_give_the_same_table(tmp_path, command):
    whole, broken, several = tmp_path / "whole", tmp_path / "broken", ("none", "", "3")
    subprocess.run(command(whole), check=True)
    rng, kills = random.Random(1), 0
    for number in range(10):
        target = _records(broken) + rng.randint(0, 6)
        process = subprocess.Popen(command(broken, *several), stderr=subprocess.DEVNULL)
        while process.poll() is None and _records(broken) < target:
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.05))
        for worker in rng.sample(workers := _workers_of(process), min(1, len(workers))):
            kills += 1
            os.kill(worker, signal.SIGKILL)
        if number % 2:  # the run goes on with another worker, or dies as well
            target = _records(broken) + rng.randint(1, 6)
            while process.poll() is None and _records(broken) < target:
                time.sleep(0.002)
        kills += int(process.poll() is None)
        process.kill()
        process.wait()
    subprocess.run(command(broken, *several), check=True)
    for table in ("tables/summary.csv", "tables/summary.md"):
        assert (broken / table).read_text() == (whole / table).read_text()
    assert len(load_run(broken).records) == len((broken / "episodes.jsonl").read_text().splitlines()) == EPISODES
    assert kills >= 5


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path, make_spec, monkeypatch, capsys):
    import eval.cli.progress as progress
    from eval.plan.options import PlanOptions
    from eval.rollout.run import play

    plan = [make_spec(i) for i in range(8)]
    monkeypatch.setattr(PlanOptions, "whole_plan", lambda _: plan)

    def play_until_third(plan, options, session):
        def listen(record):
            session.listener(record)
            if len(load_run(tmp_path / "run").records) == 3:
                raise KeyboardInterrupt

        return play(plan, options.model_copy(update={"world": "fake_world"}), session=replace(session, listener=listen))

    monkeypatch.setattr(progress, "play", play_until_third)
    with pytest.raises(SystemExit) as end:
        main(["run", "--policy", "random", "--out", str(tmp_path / "run"), "--video", "none"])
    assert end.value.code == 130
    assert f"3 of 8 episodes are done. Continue with: simpler-eval run --resume {tmp_path}" in capsys.readouterr().err
    monkeypatch.setattr(progress, "play", play)  # the run knows which world it was played in
    with pytest.raises(SystemExit) as end:
        main(["run", "--resume", str(tmp_path / "run")])
    assert end.value.code == 0
    assert len(load_run(tmp_path / "run").records) == 8


def test_a_hanging_worker_does_not_outlive_a_killed_run(tmp_path, make_spec):
    plan, marks = tmp_path / "plan", tmp_path / "marks"
    plan.write_text(make_spec(0, variant="hang_always").model_dump_json() + "\n")
    marks.mkdir()
    command = [sys.executable, str(SCRIPT), str(tmp_path / "run"), str(plan), "none", str(marks)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _wait_for(lambda: list(marks.glob("*.hang")))
    worker = int((marks / "built").read_text().split()[0])
    process.kill()
    process.wait()
    _wait_for(lambda: not _is_running(worker))
    assert not _is_running(worker)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_disk_that_is_really_full_is_one_line_and_the_run_goes_on_later(tmp_path, command):
    disk, run = tmp_path / "disk", tmp_path / "disk/run"
    disk.mkdir()
    room = (
        tmp_path / "plan"
    ).stat().st_size + 50_000  # for the plan, run.json and some of the episodes with actions and states
    inside = f"""
set -e
mount -t tmpfs -o size=800k tmpfs {disk}
head -c {800 * 1024 - room} /dev/zero >{disk}/filler
set +e
"$@" 2>{tmp_path}/full.txt
echo $? >{tmp_path}/code
set -e
cp {run}/episodes.jsonl {tmp_path}/kept.jsonl
rm {disk}/filler
"$@"
cp -r {run} {tmp_path}/whole
"""
    skip_where_nobody_mounts()
    subprocess.run([*MAKER, "bash", "-c", inside, "bash", *command(run)], check=True)
    said = (tmp_path / "full.txt").read_text()
    assert (tmp_path / "code").read_text().strip() == "1"
    assert "No space left on device; free some space" in said.splitlines()[-1]
    kept = (tmp_path / "kept.jsonl").read_text().splitlines()
    data = load_run(tmp_path / "whole")
    assert 0 < len(kept) < EPISODES == len(data.records)
    for line in kept[:-1]:  # the last one may be torn
        assert line in (tmp_path / "whole/episodes.jsonl").read_text()
