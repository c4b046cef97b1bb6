"""Workers keep to what they have loaded and settled, and none waits while there is something left."""

from __future__ import annotations

from collections import defaultdict

import pytest

from eval.plan.suites import make_plan
from eval.records.turns import Turn
from eval.rollout.scheduling import EpisodeQueue, files_of
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
