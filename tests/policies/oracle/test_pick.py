"""The oracle picks up what lies on the table: a can in each of its poses, and whatever object the task names."""

from __future__ import annotations

import pytest

from eval.backends.base import WorldOptions
from eval.backends.sapien3 import Sapien3
from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from eval.rollout.play import play_episode
from policies.oracle import OraclePolicy


def success(spec: EpisodeSpec) -> bool:
    record = play_episode(Sapien3(WorldOptions(assets="")), OraclePolicy(), spec).record
    assert record.error is None
    assert record.steps <= spec.max_steps
    return record.success_last


@pytest.mark.parametrize("orientation", ["horizontal", "standing", "vertical"])
def test_a_can_is_lifted(orientation: str) -> None:
    assert success(make_plan(tasks=[f"google_robot_pick_{orientation}_coke_can"], limit=1)[0])


def test_an_object_sampled_from_a_seed_is_lifted() -> None:
    assert success(make_plan(tasks=["google_robot_pick_object"], setting="prepackaged", seed=8, limit=1)[0])


def test_three_steps_are_too_few_to_lift_anything() -> None:
    spec = make_plan(tasks=["google_robot_pick_standing_coke_can"], limit=1)[0]
    assert not success(spec.model_copy(update={"max_steps": 3}))
