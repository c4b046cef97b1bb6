"""Tasks by the original's environment ids."""

from __future__ import annotations

import pytest

from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.simpler_api.names import ENVIRONMENT_MAP

CAN = "GraspSingleOpenedCokeCanInScene-v0"
DISTRACTOR = "GraspSingleOpenedCokeCanDistractorInScene-v0"


def test_an_environment_id_is_the_task_it_stands_for() -> None:
    assert make_plan(tasks=CAN, limit=3) == make_plan(tasks="google_robot_pick_coke_can", limit=3)


def test_an_environment_of_some_variants_is_those_variants() -> None:
    plan = make_plan(tasks=DISTRACTOR, setting="variant_aggregation", variants="standing/*")
    assert {spec.variant for spec in plan} == {"standing/distractors=less", "standing/distractors=more"}
    assert {spec.simpler_reset.env_id for spec in plan if spec.simpler_reset} == {DISTRACTOR}


@pytest.mark.parametrize("env_id", sorted({env_id for env_id, _ in ENVIRONMENT_MAP.values()}))
def test_every_environment_of_the_original_s_names_can_be_asked_for(env_id: str) -> None:
    (spec,) = make_plan(tasks=env_id, setting="prepackaged", limit=1)
    assert spec.simpler_reset is not None
    assert spec.simpler_reset.env_id == env_id


@pytest.mark.parametrize(
    ("env_id", "said"),
    [
        ("GraspSingleOpenedCokeCanInScene-v1", f'Did you mean "{CAN}"?'),
        ("graspsingleopenedcokecaninscene-v0", f'Did you mean "{CAN}"?'),
        ("GraspSingleOpenedCokeCanInScene", f'Did you mean "{CAN}"?'),
        (DISTRACTOR, "give --setting variant_aggregation"),
        ("GraspSingleDummy-v0", "give --task google_robot_pick_coke_can"),
    ],
)
def test_an_environment_without_episodes_is_one_line(env_id: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(tasks=env_id)
    assert said in str(caught.value)
