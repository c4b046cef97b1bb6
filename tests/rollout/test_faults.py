"""Whatever a policy does wrong takes a verdict, is said with its cause, and ends the run before it eats the whole plan."""

from __future__ import annotations

import itertools
import os
import re
import sys

import numpy as np
import pytest
from fake_policies import Still
from faulty_policies import FAULTS, ByIndex, Fails, OneByOne

from eval.errors import EpisodesErrored
from eval.records.folder import load_run
from eval.rollout.actions import checked
from policies.base import Action


def errors(data):
    return [data.record(spec.id).error for spec in data.plan]


@pytest.mark.parametrize("where", ["act", "reset"])
def test_whatever_a_policy_raises_or_leaves_with_takes_its_own_verdict_alone(play, make_spec, capsys, where):
    calls = [call for call, _ in FAULTS]
    plan = [make_spec(index) for index in range(len(FAULTS) + 1)]
    data = play(plan, ByIndex([*calls, lambda: None], where), workers=1)
    assert errors(data) == [*(text for _, text in FAULTS), None]
    said = capsys.readouterr().err
    for _, text in FAULTS[:3]:
        assert f"1 x {text}" in said
    assert "faulty_policies.py" in said, "the first fault in full"
    log = (data.path / "errors.log").read_text()
    assert all(f"[{number}] " in log and text in log for number, (_, text) in enumerate(FAULTS, start=1))


def test_the_same_fault_in_a_row_stops_the_run_and_the_command_that_goes_on_is_said(play, make_spec, capsys):
    plan = [make_spec(index) for index in range(20)]
    data = play(plan, Fails(), stop_after=3)
    assert sum(error is not None for error in (record.error for record in data.records.values())) == 3
    session = data.header.sessions[-1]
    assert (session.outcome, session.episodes) == ("stopped", 3)
    said = capsys.readouterr().err
    assert "3 of 20 episodes have no verdict" in said
    assert "3 x policy raised ValueError: cannot handle" in said
    assert 'raise ValueError(f"cannot handle' in said
    assert "3 episodes in a row were lost to the same fault of the policy (--stop-after 3)" in said
    assert "retry_errored=True" in said.splitlines()[-1]
    assert (data.path / "errors.log").read_text().count("Traceback") == 1
    assert (data.path / "tables/summary.md").exists()
    assert len(play(plan, Still(), retry_errored=True, policy_changed=True).records) == 20


def test_other_faults_and_verdicts_between_them_do_not_stop_it(play, make_spec):
    calls = [FAULTS[0][0], FAULTS[2][0], FAULTS[0][0], lambda: None, FAULTS[0][0]]
    data = play([make_spec(index) for index in range(5)], ByIndex(calls), workers=1, stop_after=2)
    assert len(data.records) == 5
    assert data.header.sessions[-1].outcome == "finished"


def test_a_fault_of_batches_alone_costs_no_verdict_and_is_said(play, make_spec, capsys):
    data = play([make_spec(index, max_steps=30) for index in range(4)], OneByOne(), stop_after=1, workers=3)
    assert errors(data) == [None] * 4
    said = capsys.readouterr().err
    assert re.search(r"act\(\) of [23] observations failed", said), "of the first batch of several"
    assert "not when its episodes were asked one by one" in said


def test_fail_on_error_stops_at_the_first_whatever_the_cause(play, make_spec, tmp_path, capsys):
    plan = [make_spec(index, variant="raise_always" if index == 1 else "base") for index in range(8)]
    with pytest.raises(EpisodesErrored, match="1 x RuntimeError: the world broke"):
        play(plan, Still(), workers=1, fail_on_error=True)
    data = load_run(tmp_path / "run")
    assert [record.status for record in data.records.values()][-1] == "errored"
    assert data.header.sessions[-1].outcome == "stopped"
    said = capsys.readouterr().err
    assert "(--fail-on-error)" in said
    assert "the world broke" in said
    assert "in _misbehave" in (data.path / "errors.log").read_text(), "the traceback of the world, too"


class Historian(Still):
    """Remembers the first image."""

    needs_image = True

    def __init__(self, remember):
        self.remember, self.first = remember, {}

    def act(self, observations):
        for o in observations:
            if o.step == 0:
                self.first[o.episode] = self.remember(o.image)
        return super().act(observations)


@pytest.mark.parametrize("remember", [lambda image: image, lambda image: image[2:, ::-1]])
def test_a_policy_that_keeps_an_image_is_told_once_and_plays_on(play, make_spec, remember, capsys):
    assert errors(play([make_spec(0), make_spec(1)], Historian(remember), workers=1)) == [None, None]
    assert capsys.readouterr().err.count("keep observation.image.copy()") == 1


def test_copies_and_images_of_filmed_episodes_may_be_kept(play, make_spec, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert errors(play([make_spec(0)], Historian(lambda image: image.copy()), workers=1)) == [None]
    assert errors(play([make_spec(2)], Historian(lambda image: image), workers=1, video="all", out="film")) == [None]
    assert "observation.image" not in capsys.readouterr().err


def test_an_image_cannot_be_written(play, make_spec):
    class Draws(Still):
        needs_image = True

        def act(self, observations):
            image = observations[0].image
            try:
                image[...] = 0
            except ValueError:
                image.flags.writeable = True
            return super().act(observations)

    (error,) = errors(play([make_spec(0)], Draws(), workers=1))
    assert "WRITEABLE" in error


class Elsewhere:
    """An array that cannot be read here."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("it lies on a chip")


class Array:
    """As JAX and TensorFlow have it."""

    def __array__(self, dtype=None, copy=None):
        return np.arange(7, dtype=np.float32)


def test_numbers_of_any_kind_of_array_are_played():
    lists = [tuple(range(7)), range(7), [np.float16(n) for n in range(7)]]
    arrays = [Array(), np.arange(7, dtype=np.float16), np.arange(7, dtype=object), np.arange(7, dtype=np.longdouble)]
    for given in (*lists, *arrays):
        action = checked(Action(given, terminate=np.True_, label=given))
        assert action.command == action.label == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)


def test_tensors_of_any_precision_are_played():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    row = torch.arange(7.0)
    tensors = [row.bfloat16(), row.half(), row.to(torch.float8_e5m2), row.long(), row.clone().requires_grad_()]
    for given in (*tensors, [*row.bfloat16()], [*row.clone().requires_grad_()]):
        action = checked(Action(given, terminate=torch.tensor(True), label=given))
        assert action.command == action.label == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
        assert action.terminate is True


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "policy gave NoneType where a list of actions was expected"),
        ([], "policy gave 0 actions for 1 observation"),
        ([Action([0.0] * 7), Action([0.0] * 7)], "policy gave 2 actions for 1 observation"),
        (
            {"a": 1},
            "policy gave dict where a list of actions was expected; act() must return a list of policies.base.Action, one",
        ),
        (np.zeros((1, 7)), "policy gave ndarray that is no Action; act() must return a list of policies.base.Action, one per"),
        (itertools.repeat(Action([0.0] * 7)), "policy gave more actions for 1 observation"),
        ([Action(["0"] * 7)], "policy gave an Action whose command is a list (<U1); it must be 7 real numbers"),
        ([Action(np.zeros(7) + 1j)], "policy gave an Action whose command is a ndarray (complex128)"),
        ([Action(np.ma.masked_equal(np.arange(7.0), 3))], "policy gave an action in which numbers are masked"),
        ([Action([1e300] * 7)], "policy gave an action that is too large"),
        ([Action([0.0] * 7, terminate="False")], "policy gave an Action whose terminate is 'False'; it must be True or False"),
        ([Action([0.0] * 7, terminate=None)], "policy gave an Action whose terminate is None"),
        ([Action(iter([0.0] * 7))], "policy gave an Action whose command is a list_iterator; it must be 7 real numbers"),
        ([Action(np.array(["0"] * 7, object))], "policy gave an Action whose command is a ndarray; it must be 7 real"),
        ([Action(np.array(0.0))], "policy gave an action of shape (), not (7,)"),
        ([Action(np.zeros((1, 7)))], "policy gave an action of shape (1, 7), not (7,)"),
        ([Action(Elsewhere())], "policy gave an Action whose command cannot be read as 7 numbers: it lies on a chip"),
        ([Action([0.0] * 7, terminate=Elsewhere())], "policy gave an Action whose terminate is a Elsewhere; it must be True"),
    ],
)
def test_an_answer_of_another_form_is_said_in_words(play, make_spec, answer, said):
    policy = type("Answers", (Still,), {"act": lambda *_: answer})()
    (error,) = errors(play([make_spec(0)], policy, workers=1))
    assert error.startswith(said)


def test_what_a_policy_does_to_its_process_is_undone_or_ends_its_copy_alone(play, make_spec, tmp_path):
    """A forked copy that comes back, the recursion limit, the list it was given, the file of the results."""

    class Careless(Still):
        def __init__(self):
            self.forked = False

        def act(self, observations):
            actions = super().act(observations)
            observations.clear()
            sys.setrecursionlimit(100)
            if not self.forked:
                self.forked = True
                self.child = os.fork()
            return actions

        def end(self, episodes, results):
            (tmp_path / "careless" / "episodes.jsonl").unlink(missing_ok=True)

    policy, limit = Careless(), sys.getrecursionlimit()
    data = play([make_spec(n) for n in range(3)], policy, workers=1, out=tmp_path / "careless", repeat=1)
    assert sys.getrecursionlimit() == limit
    assert os.waitstatus_to_exitcode(os.waitpid(policy.child, 0)[1]) == 1
    assert errors(data) == [None, None, None]


def test_a_session_records_its_end(play, make_spec):
    session = play([make_spec(0), make_spec(1)], Still()).header.sessions[-1]
    assert (session.outcome, session.episodes) == ("finished", 2)
    assert session.ended is not None
    assert session.ended >= session.started
    assert session.wall_seconds is not None
    assert session.wall_seconds > 0
