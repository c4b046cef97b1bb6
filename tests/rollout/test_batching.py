"""Full batches are worth a short wait where calls have a fixed cost, and none where they have not."""

from __future__ import annotations

import pytest
from fake_policies import Still
from observations import observation

from eval.rollout import batching
from eval.rollout.batching import Batching, CallCost, Waiting
from eval.rollout.policy_calls import preferred_batch
from eval.rollout.pool import Seat


def waits(fixed, each, ready, size=8, under_way=8, passed=0.0, monkeypatch=None):
    """Seconds left with so many ready, in a run whose calls were of 2 to 6 observations."""
    clock = [100.0]
    monkeypatch.setattr(batching.time, "monotonic", lambda: clock[0])
    waiting = Batching()
    for n in (3, 2, 5, 3, 6, 4, 2, 6):
        waiting.cost.add(n, fixed + each * n)
    for number in range(ready):
        waiting.add(Waiting(observation(0, episode=str(number)), Seat(None, 0), False))
    clock[0] += passed
    return waiting.seconds_left(size, under_way)


@pytest.mark.parametrize(("fixed", "each"), [(0.05, 0.002), (0.3, 0.005), (0.02, 0.02), (0.0, 0.01)])
def test_what_a_call_costs_whatever_its_size_is_seen_from_calls(fixed, each):
    cost = CallCost()
    for n in (9, 3, 8, 5, 12, 4, 9, 3, 10, 6, 11, 2, 8):
        cost.add(n, fixed + each * n)
    assert cost.fixed == pytest.approx(fixed, abs=0.15 * (fixed + 7 * each))


def test_until_calls_differ_in_size_half_their_time_counts_as_fixed_and_the_first_call_not_at_all():
    cost = CallCost()
    cost.add(4, 60.0)
    assert cost.fixed == 0.0
    for _ in range(3):
        cost.add(4, 0.2)
    assert cost.fixed == pytest.approx(0.1)


@pytest.mark.parametrize("ready", [1, 4])
def test_another_observation_is_worth_its_part_of_the_fixed_cost(monkeypatch, ready):
    worth = waits(0.08, 0.002, ready, monkeypatch=monkeypatch)
    assert worth == pytest.approx(0.08 / ready, rel=0.1)
    assert waits(0.08, 0.002, ready, passed=worth, monkeypatch=monkeypatch) <= 1e-9


def test_the_wait_is_short_however_much_a_call_costs(monkeypatch):
    assert waits(30.0, 0.1, 1, monkeypatch=monkeypatch) == pytest.approx(batching.LONGEST_WAIT)


@pytest.mark.parametrize(
    "given",
    [
        {"ready": 8},  # full
        {"ready": 3, "under_way": 3},  # nobody else can come
        {"ready": 3, "size": None},  # no size is wished
        {"ready": 3, "fixed": 0.0, "each": 0.0},  # an answer at once
        {"ready": 3, "fixed": 0.0},  # nothing is saved by waiting
    ],
)
def test_nothing_is_waited_for_where_it_saves_nothing(monkeypatch, given):
    assert waits(**{"fixed": 0.05, "each": 0.002, "monkeypatch": monkeypatch, **given}) <= 0.001


@pytest.mark.parametrize(("comes_after", "worth"), [(0.01, True), (1.0, False)])
def test_waiting_that_brings_nothing_is_given_up_and_tried_again(monkeypatch, comes_after, worth):
    """Calls of 50 ms whatever their size, with a second observation that comes soon or too late."""
    clock = [0.0]
    monkeypatch.setattr(batching.time, "monotonic", lambda: clock[0])
    waiting, seat, waited = Batching(), Seat(None, 0), []
    for call in range(48):
        waiting.add(Waiting(observation(0, episode=f"a{call}"), seat, False))
        begun = clock[0]
        while (left := waiting.seconds_left(2, 2)) > 0:
            came = len(waiting) == 1 and clock[0] + left >= begun + comes_after
            clock[0] = begun + comes_after if came else clock[0] + left + 1e-6
            if came:
                waiting.add(Waiting(observation(0, episode=f"b{call}"), seat, False))
        waited.append(clock[0] - begun)
        waiting.cost.add(len(waiting.take(2)), 0.05)
    late = waited[16:]
    assert sum(wait > 0 for wait in late) == (32 if worth else 2)


def test_those_that_wait_longest_come_first_and_one_that_is_alone_before_all():
    waiting, seat = Batching(), Seat(None, 0)
    for number in range(5):
        waiting.add(Waiting(observation(0, episode=str(number)), seat, alone=number == 3))
    assert waiting.seconds_left(8, 8) == 0.0
    batches = []
    while len(waiting):
        batches.append([one.observation.episode for one in waiting.take(3)])
    assert batches == [["3"], ["0", "1", "2"], ["4"]]


class Property(Still):
    """Wishes something by code of its own."""

    @property
    def preferred_batch(self):
        raise RuntimeError("not loaded yet")


@pytest.mark.parametrize("wish", [None, 0, -2, "8", 2.5, float("nan")])
def test_a_wish_that_is_no_batch_is_none(wish):
    policy = Still()
    policy.preferred_batch = wish
    assert preferred_batch(policy) is preferred_batch(Property()) is preferred_batch(Still()) is None
    policy.preferred_batch = 12
    assert preferred_batch(policy) == 12
