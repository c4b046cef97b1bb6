"""One episode in this process ends as it does in a run."""

from __future__ import annotations

import numpy as np
import pytest
from fake_policies import Answers, Looks, Still, Terminates
from fake_world import FakeWorld

from eval.backends.base import WorldOptions
from eval.rollout.frames import private_frames
from eval.rollout.play import play_episode
from eval.rollout.run import run


@pytest.mark.parametrize(("index", "variant", "policy"), [(0, "base", Looks), (1, "base", Still), (1, "subtasks", Terminates)])
def test_a_run_and_this_process_record_the_same(make_spec, tmp_path, index, variant, policy):
    spec = make_spec(index, variant=variant, max_steps=9)
    alone = play_episode(FakeWorld(WorldOptions()), policy(), spec)
    (record,) = run([spec], policy(), world="fake_world", out=tmp_path, workers=1).records.values()
    assert alone.record.model_dump(exclude={"seconds"}) == record.model_dump(exclude={"seconds"})
    assert len(alone.flags) == record.steps + 1


def test_a_policy_that_fails_leaves_no_verdict(make_spec):
    spec = make_spec(0)
    record = play_episode(FakeWorld(WorldOptions()), Answers(spec.id, [np.nan] * 7), spec).record
    assert (record.status, record.steps) == ("errored", 1)
    assert "not finite" in (record.error or "")


def test_what_the_world_raises_is_passed_on(make_spec, tmp_path):
    with pytest.raises(RuntimeError, match="the world broke"):
        play_episode(FakeWorld(WorldOptions(str(tmp_path))), Still(), make_spec(0, variant="raise_always"))


@pytest.mark.parametrize("slots", [2, 4, 7])
def test_the_last_images_come_in_order(slots):
    frames = private_frames(slots, 2, 3)
    for step in range(6):
        frames.slot(step)[...] = step
    assert frames.last(6)[:, 0, 0, 0].tolist() == list(range(6))[-slots:]
