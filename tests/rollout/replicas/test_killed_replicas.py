"""A run with replicas that is killed at random moments and resumed gives the same table, and leaves no process behind."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest

from eval.records.folder import load_run

pytestmark = pytest.mark.alone  # who plays how much depends on what else the machine does

SCRIPT = Path(__file__).parents[2] / "support" / "interrupted_replicas.py"
EPISODES = 40
TWO = {"replicas": 2, "workers": 1}


@pytest.fixture
def command(tmp_path, make_spec):
    plan = tmp_path / "plan"
    specs = [make_spec(i, variant=f"v{i % 3}", max_steps=12) for i in range(EPISODES)]
    plan.write_text("".join(spec.model_dump_json() + "\n" for spec in specs))
    return lambda out, options: [sys.executable, str(SCRIPT), str(out), str(plan), json.dumps(options)]


def records(out):
    file = out / "episodes.jsonl"
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def processes_of(folder):
    """Processes that were started for a run in this folder; replicas and workers have its head's environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"SIMPLER_EVAL_TEST={folder}".encode() in place.read_bytes().split(b"\0"):
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


def assert_killing_changes_nothing(tmp_path, command, options, kills):
    """Kill a run ``kills`` times, resume it to its end, and compare it with one that nobody disturbed."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(command(whole, {"workers": 2}), check=True)
    rng, struck = random.Random(1), 0
    environment = {**os.environ, "SIMPLER_EVAL_TEST": str(broken)}
    for _ in range(kills):
        target = records(broken) + rng.randint(0, EPISODES // (kills + 1))
        process = subprocess.Popen(command(broken, options), stderr=subprocess.DEVNULL, env=environment)
        while process.poll() is None and records(broken) < target:
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.2))
        struck += int(process.poll() is None)
        process.kill()
        process.wait()
    end = time.monotonic() + 30
    while processes_of(broken) and time.monotonic() < end:
        time.sleep(0.05)
    assert processes_of(broken) == []
    subprocess.run(command(broken, options), check=True)
    for table in ("tables/summary.csv", "tables/summary.md"):
        assert (broken / table).read_text() == (whole / table).read_text()
    assert len((broken / "episodes.jsonl").read_text().splitlines()) == len(load_run(broken).records) == EPISODES
    played = [{path.name: path.read_bytes() for path in (run / "actions").glob("*.npy")} for run in (whole, broken)]
    assert played[0] == played[1]
    assert struck >= kills // 2


def test_killed_and_resumed_gives_the_same_table(tmp_path, command):
    assert_killing_changes_nothing(tmp_path, command, TWO, 2)


@pytest.mark.slow
def test_killed_at_ten_moments_gives_the_same_table(tmp_path, command):
    assert_killing_changes_nothing(tmp_path, command, {**TWO, "video": "first:1"}, 10)


@pytest.mark.slow
def test_killed_at_ten_moments_on_a_cluster_gives_the_same_table(tmp_path, command):
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    path = os.pathsep.join([path for path in sys.path if path])
    with mock.patch.dict(os.environ, {"PYTHONPATH": path, "RAY_USAGE_STATS_ENABLED": "0"}):
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        try:
            for _ in range(2):
                cluster.add_node(num_cpus=1)
            assert_killing_changes_nothing(tmp_path, command, {"cluster": cluster.address, "workers": 1}, 10)
        finally:
            cluster.shutdown()
