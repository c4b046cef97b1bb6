"""A policy that can work ahead on observations does so while it answers others; nothing else changes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import numpy as np
import pytest
from ahead_policies import Ahead, ByIndexAhead, HangsAhead, Overlaps, Sees
from faulty_policies import FAULTS

import eval.rollout.preparing
from eval.records.folder import load_run


def errors(data):
    return [data.record(spec.id).error for spec in data.plan]


def results(data):
    """Of every episode, all that does not depend on the clock, and what was played."""
    records = {key: record.model_dump(exclude={"seconds"}) for key, record in data.records.items()}
    played = {file.name: np.load(file).tolist() for file in sorted((data.path / "actions").glob("*.npy"))}
    return records, played


def threads():
    return [thread for thread in threading.enumerate() if thread.name in ("prepares observations", "hears the workers")]


@pytest.mark.parametrize("how", [{"workers": 2}, {"workers": 1, "per_worker": 2}])
def test_what_comes_while_the_policy_answers_is_prepared_at_once(play, make_spec, how):
    policy = Overlaps(max_steps=30)
    plan = [make_spec(index, variant="slow", max_steps=30) for index in (0, 2)]
    assert errors(play(plan, policy, **how)) == [None, None]
    assert len(policy.waited) > 10
    assert all(policy.waited)
    assert policy.wrong == []
    assert not threads()


def test_episodes_end_and_actions_are_as_without(play, make_spec, tmp_path, capsys):
    variants = ["base", "die_once", "subtasks", "raise_always", "base", "hang_once", "base", "die_always", "base"]
    plan = [make_spec(i, variant=variant, max_steps=4 + i) for i, variant in enumerate(variants)]
    policy, how = Ahead(), {"workers": 2, "watchdog": 1.0}
    data = play(plan, policy, per_worker=3, **how)
    assert policy.wrong == []
    assert set(policy.told.values()) == {0}, "one end for every reset"
    assert policy.seen.keys() >= {(spec.id, step) for spec in plan for step in range(data.record(spec.id).steps)}
    assert max(policy.seen.values()) <= 2 * max(record.attempts for record in data.records.values())
    assert "observation.image" not in capsys.readouterr().err, "nobody keeps an image"
    (tmp_path / "marks").rename(tmp_path / "other marks")
    plain = play(plan, Sees(), **how, out=tmp_path / "plain")
    assert results(data) == results(plain)


def test_workers_that_die_while_their_observations_are_prepared_or_answered(play, make_spec, tmp_path):
    """All of them, twice: during a call about some of their episodes, and as soon as new observations have come."""

    class Kills(Ahead):
        seconds = 0.05
        calls = 0

        def prepare_observation(self, observation):
            if observation.step == 3 and not self.calls:
                self.calls += 1
                kill_workers()
            super().prepare_observation(observation)

        def answer(self, observations):
            if observations[0].step == 4 and self.calls == 1:
                self.calls += 1
                kill_workers()
            return super().answer(observations)

    def kill_workers():
        for pid in {*(tmp_path / "marks/built").read_text().split()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    policy = Kills()
    data = play([make_spec(2 * index, max_steps=6) for index in range(4)], policy, per_worker=2)
    assert policy.calls == 2
    assert policy.wrong == []
    assert set(policy.told.values()) == {0}
    assert all(record.status == "success" or record.attempts == 2 for record in data.records.values())
    assert any(record.attempts == 2 for record in data.records.values())


def test_what_is_raised_ahead_costs_no_verdict_and_is_said(play, make_spec, capsys):
    calls = [call for call, _ in FAULTS]
    plan = [make_spec(index, max_steps=2) for index in range(len(FAULTS) + 1)]
    data = play(plan, ByIndexAhead([*calls, lambda: None], "prepare"), stop_after=1, workers=1)
    assert errors(data) == [None] * len(plan)
    assert data.header.sessions[-1].outcome == "finished"
    said = capsys.readouterr().err
    for _, text in FAULTS[:3]:
        assert f"prepare_observation() failed 2 times, which costs no verdict: {text}" in said
    assert "ahead_policies.py" in (data.path / "errors.log").read_text()


@pytest.mark.parametrize("where", ["act", "reset"])
def test_what_is_raised_elsewhere_takes_its_own_verdict_alone(play, make_spec, where):
    plan = [make_spec(index) for index in range(len(FAULTS) + 1)]
    data = play(plan, ByIndexAhead([*(call for call, _ in FAULTS), lambda: None], where), workers=1, per_worker=3)
    assert errors(data) == [*(text for _, text in FAULTS), None]


@pytest.mark.parametrize("where", ["act", "end"])
def test_one_that_hangs_is_interrupted(play, make_spec, where):
    data = play([make_spec(2 * index) for index in range(3)], HangsAhead(where), workers=1, watchdog=0.4, stop_after=9)
    assert [error is None for error in errors(data)].count(False) == (3 if where == "act" else 0)
    assert f"policy was silent for 0.4 s in {where} (call 2)" in (data.path / "errors.log").read_text()


def test_one_that_hangs_ahead_loses_that_episode_alone(play, make_spec, monkeypatch):
    monkeypatch.setattr(eval.rollout.preparing, "THREADS", 1)
    monkeypatch.setattr(eval.rollout.preparing, "CLOSE_SECONDS", 0.1)
    policy = HangsAhead("prepare")
    data = play([make_spec(index) for index in (0, 2, 4, 6)], policy, workers=1, per_worker=2, watchdog=0.5)
    policy.goes_on.set()
    lost, *others = errors(data)[1], *errors(data)[:1], *errors(data)[2:]
    assert lost.startswith("policy was silent for 0.5 s in act")
    assert others == [None] * 3


def test_ctrl_c_while_it_answers_keeps_what_is_finished(play, make_spec, tmp_path):
    class Stopped(Ahead):
        def answer(self, observations):
            if sum(count == 0 for count in self.told.values()) >= 3 and signal_sent.count(1) == 0:
                signal_sent.append(1)
                os.kill(os.getpid(), signal.SIGINT)
                threading.Event().wait(20)
            return super().answer(observations)

    signal_sent = []
    plan = [make_spec(index, max_steps=3 + index) for index in range(8)]
    with pytest.raises(KeyboardInterrupt):
        play(plan, Stopped(), per_worker=2)
    assert not threads()
    kept = load_run(tmp_path / "run")
    assert len(kept.records) >= 3
    assert kept.header.sessions[-1].outcome == "interrupted"
    assert errors(play(plan, Stopped())) == [None] * 8


def test_a_copy_that_it_forks_in_either_call_goes_no_further(play, make_spec):
    class Forks(Ahead):
        def __init__(self):
            super().__init__()
            self.children, self.turn = [], threading.Lock()

        def prepare_observation(self, observation):
            super().prepare_observation(observation)
            self.fork(1)

        def answer(self, observations):
            self.fork(0)
            return super().answer(observations)

        def fork(self, after):
            with self.turn:  # several images are prepared at a time
                if len(self.children) == after:
                    self.children.append(os.fork())

    policy = Forks()
    assert errors(play([make_spec(0), make_spec(2)], policy)) == [None, None]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in policy.children] == [1, 1]
