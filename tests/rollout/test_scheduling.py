"""Workers keep to what they have loaded and settled, and none waits while there is something left."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict

import pytest

from eval.plan.suites import make_plan
from eval.records.turns import Turn
from eval.rollout.scheduling import EpisodeQueue, files_of, traced_share, tracing_workers
from eval.sim.contents import settling_inputs


def played_by(plan, workers):
    """Episodes of each worker, when all are equally fast."""
    queue, last, played = EpisodeQueue(map(Turn, plan)), dict.fromkeys(range(workers)), defaultdict(list)
    while len(queue):
        for worker in range(workers):
            if len(queue):
                elsewhere = [spec for other, spec in last.items() if other != worker and spec is not None]
                turn, attempt = queue.take(last[worker], elsewhere)
                last[worker] = turn.spec
                assert attempt == 1
                played[worker].append(last[worker])
    return list(played.values())


@pytest.mark.parametrize(("workers", "most"), [(1, 144), (8, 170)])  # at the end workers share what is left
def test_episodes_that_settle_alike_go_to_one_worker(workers, most):
    plan = [spec for spec in make_plan("google_robot_visual_matching") if spec.objects]
    shares = played_by(plan, workers)
    assert sorted(spec.id for share in shares for spec in share) == sorted(spec.id for spec in plan)
    settled = [len({settling_inputs(spec) for spec in share}) for share in shares]
    assert sum(settled) <= most
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    loaded = [len({files_of(spec) for spec in share}) for share in shares]
    assert sum(loaded) <= len({files_of(spec) for spec in plan}) + 2 * workers


def test_a_retried_episode_comes_first(make_spec):
    turns = [Turn(make_spec(i)) for i in range(3)]
    queue = EpisodeQueue(turns)
    assert queue.take(None, []) == (turns[0], 1)
    queue.put_back(turns[0], 2)
    assert len(queue) == 3
    assert queue.take(turns[0].spec, []) == (turns[0], 2)
    assert [queue.take(None, [])[0] for _ in range(2)] == turns[1:]
    assert len(queue) == 0


def test_a_retried_episode_rides_beside_no_other(make_spec):
    turns = [Turn(make_spec(i)) for i in range(3)]
    queue = EpisodeQueue(turns[2:])
    queue.put_back(turns[0], 2)
    queue.put_back(turns[1], 1)  # it lost its worker to another's fault
    beside = [make_spec(7)]
    assert [queue.take(None, [], beside) for _ in range(3)] == [(turns[1], 1), (turns[2], 1), None]
    assert queue.take(None, [], []) == (turns[0], 2)


def under_way(plan, workers, per_worker, seconds, tracing=None):
    """(Specs under way by worker, those left) after each end, where an episode takes ``seconds(spec)`` of a worker's time, and
    the first ``tracing`` workers trace."""
    queue = EpisodeQueue(map(Turn, plan), traces=True)
    seats = [(worker, number) for number in range(per_worker) for worker in range(workers)]
    playing, last, ends = {}, {}, []
    left = {spec.id: spec for spec in plan}

    def fill(seat, now):
        beside = [spec for other, spec in playing.items() if other[0] == seat[0]]
        elsewhere = [spec for other, spec in playing.items() if other[0] != seat[0]]
        traces = None if tracing is None else seat[0] < tracing
        if (taken := queue.take(last.get(seat), elsewhere, beside, traces)) is not None:
            playing[seat] = last[seat] = taken[0].spec
            heapq.heappush(ends, (now + seconds(last[seat]), seat))
            del left[last[seat].id]

    for seat in seats:
        fill(seat, 0.0)
    while ends:
        yield (
            {worker: [spec for seat, spec in playing.items() if seat[0] == worker] for worker in range(workers)},
            list(left.values()),
        )
        now, seat = heapq.heappop(ends)
        del playing[seat]
        fill(seat, now)


@pytest.mark.parametrize(("workers", "per_worker"), [(2, 1), (4, 2), (16, 1), (16, 2), (16, 3)])
def test_traced_and_raster_episodes_are_under_way_side_by_side_until_the_end(workers, per_worker):
    plan = make_plan("google_robot_visual_matching", sample=0.3)
    rng = random.Random(0)
    count, mixed_workers, moments = 0, 0, 0
    for playing, left in under_way(
        plan, workers, per_worker, lambda spec: rng.uniform(1, 3) * (3 if spec.shader == "rt" else 1)
    ):
        kinds = [spec.shader == "rt" for specs in playing.values() for spec in specs]
        count += 1
        if not {True, False} <= {spec.shader == "rt" for spec in left}:
            continue
        share = sum(spec.max_steps for spec in left if spec.shader == "rt") / sum(spec.max_steps for spec in left)
        assert abs(sum(kinds) - share * len(kinds)) <= 1 + per_worker + 0.1 * len(kinds)
        assert 0 < sum(kinds) < len(kinds), "both are under way"
        moments += 1
        mixed_workers += sum(len({spec.shader for spec in specs}) > 1 for specs in playing.values())
    assert count == len(plan)
    assert moments > len(plan) / 2
    assert mixed_workers <= 0.1 * moments * workers


def test_where_nothing_is_traced_the_kind_plays_no_part():
    plan = make_plan("google_robot_visual_matching", sample=0.1)
    plain, told = EpisodeQueue(map(Turn, plan)), EpisodeQueue([Turn(s) for s in plan if s.shader != "rt"], traces=True)
    first = [plain.take(None, [])[0].spec.shader for _ in plan]
    assert sorted(first) == sorted(spec.shader for spec in plan)
    assert all(told.take(None, []) is not None for spec in plan if spec.shader != "rt")
    assert told.take(None, []) is None


def slow_where_traced(spec):
    return spec.max_steps * (3 if spec.shader == "rt" else 1)


@pytest.mark.parametrize(("workers", "per_worker"), [(2, 1), (4, 2), (16, 3)])
def test_no_more_workers_trace_than_were_chosen_however_slow_traced_episodes_are(workers, per_worker):
    plan = make_plan("google_robot_visual_matching", sample=0.2)
    tracing = tracing_workers(workers, traced_share(plan))
    assert tracing is not None

    def that_traced(tracing):
        moments = [playing for playing, _ in under_way(plan, workers, per_worker, slow_where_traced, tracing)]
        assert len(moments) == len(plan), "all are played"
        traced = [{w for w, specs in playing.items() if any(s.shader == "rt" for s in specs)} for playing in moments]
        return set().union(*traced), traced[0], moments

    ever, at_first, moments = that_traced(tracing)
    assert ever == at_first == set(range(tracing)), "the same ones from the first episode on"
    assert all(len(moments[0][worker]) == per_worker for worker in range(workers)), "and nobody else waits"
    assert len(that_traced(None)[0]) == workers, "unless it is chosen, all of them come to trace"


def test_a_traced_episode_that_lost_its_worker_waits_for_one_that_traces(make_spec):
    traced, raster = Turn(make_spec(0).model_copy(update={"shader": "rt"})), Turn(make_spec(1))
    queue = EpisodeQueue([], traces=True)
    queue.put_back(traced, 2)
    queue.put_back(raster, 1)
    assert [queue.left_for(traces) for traces in (None, True, False)] == [2, 2, 1]
    assert queue.take(None, [], [], traces=False) == (raster, 1)
    assert queue.take(None, [], [], traces=False) is None
    assert queue.left_for(False) == 0
    assert queue.take(None, [], [], traces=True) == (traced, 2)


def test_who_traces_plays_the_rest_when_nothing_traced_is_left(make_spec):
    turns = [Turn(make_spec(i).model_copy(update={"shader": shader})) for i, shader in enumerate(["default", "rt", "default"])]
    queue = EpisodeQueue(turns, traces=True)
    assert [queue.take(None, [], [], traces=True)[0] for _ in turns] == [turns[1], turns[0], turns[2]]
    assert queue.take(None, [], [], traces=True) is None


@pytest.mark.parametrize(
    ("workers", "share", "tracing"),
    [(16, 0.44, 7), (16, 0.46, 8), (4, 0.05, 1), (2, 0.5, 1), (2, 0.9, None), (1, 0.5, None), (8, 0.0, None), (8, 1.0, None)],
)
def test_as_many_workers_trace_as_is_their_part_of_the_steps(workers, share, tracing):
    assert tracing_workers(workers, share) == tracing
