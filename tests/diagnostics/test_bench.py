"""Measurements of speed: what is counted, not how fast this machine is."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

import eval.diagnostics.bench.policy as module
from eval.cli import main
from eval.diagnostics.bench.policy import TimedPolicy, measure_policy
from eval.rollout.run import run
from policies.base import Action, EpisodeInfo, PolicyDescription


class Slow:
    """Takes 20 ms an answer."""

    needs_image = False
    needs_privileged = False

    def __init__(self) -> None:
        self.closed = False

    def reset(self, episodes: list[EpisodeInfo]) -> None:
        self.episodes = episodes

    def act(self, observations: list) -> list[Action]:
        time.sleep(0.02)
        return [Action(np.zeros(7)) for _ in observations]

    def describe(self) -> PolicyDescription:
        return PolicyDescription(name="slow", settings={"milliseconds": 20})

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def slow(monkeypatch):
    """``measure_policy`` with this policy in a world without physics."""
    policy = Slow()
    monkeypatch.setattr(module, "load_policy", lambda name, args: policy)
    monkeypatch.setattr(module, "run", lambda *args, **options: run(*args, world="fake_world", **options))
    return policy


def test_a_timed_policy_is_the_policy_with_a_clock():
    policy = TimedPolicy(Slow())
    policy.reset(["episode"])
    assert len(policy.act([1, 2, 3])) == 3
    ((_, seconds, size),) = policy.batches
    assert size == 3
    assert 0.02 <= seconds < 2
    assert policy.describe().name == "slow"
    assert (policy.needs_image, policy.needs_privileged) == (False, False)


def test_what_is_measured(slow):
    speed = measure_policy("slow", {}, episodes=2, workers=1, max_steps=4)
    assert (speed.policy, speed.workers, speed.errored) == ("slow", 1, 0)
    assert speed.batches == 7, "eight steps of two episodes, the first of which is counted apart"
    assert speed.mean_batch == 1
    assert speed.first_batch_ms >= 20
    assert speed.ms_per_batch >= 20
    assert speed.ms_per_observation >= 20
    assert 0 < speed.policy_share <= 1
    assert 0 < speed.steps_per_second < 50
    assert speed.description.settings == {"milliseconds": 20}
    assert slow.closed


def test_the_verb_prints_both_ways(slow, capsys):
    for arguments in (["--json"], []):
        with pytest.raises(SystemExit) as end:
            main(["bench", "policy", "slow", "--episodes", "2", "--workers", "1", "--max-steps", "3", *arguments])
        assert end.value.code == 0
        out = capsys.readouterr().out
        if arguments:
            content = json.loads(out)
            assert (content["description"]["name"], content["batches"]) == ("slow", 5)
        else:
            assert "slow: loaded in" in out
            assert "5 batches of 1.0" in out


def test_the_simulator_is_measured_with_one_worker_and_more(capsys):
    """Our own world, small: a row a task and number of workers, and a share of time that is one."""
    with pytest.raises(SystemExit) as end:
        main(["bench", "sim", "--workers", "1", "--steps", "2", "--json"])
    assert end.value.code == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["task"], row["workers"]) for row in rows] == [(task, 1) for task in module.TASKS]
    assert all(row["steps_per_second"] > 0 and 0 < row["inside_sapien"] < 1 for row in rows)
