"""The oracle solves one episode of every family on our own stand-ins: the worlds can be played to the end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from eval.backends.base import WorldOptions
from eval.backends.sapien3 import Sapien3
from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from eval.rollout.play import play_episode
from policies.base import Action, Observation
from policies.oracle import OraclePolicy


class Listening(OraclePolicy):
    """Keeps the instructions in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        self.texts += [o.instruction for o in observations if o.instruction not in self.texts]
        return super().act(observations)


def played(spec: EpisodeSpec) -> tuple[bool, list[str]]:
    """Success at the end, and the instructions in their order."""
    policy = Listening()
    record = play_episode(Sapien3(WorldOptions(assets="")), policy, spec).record
    assert record.error is None
    return record.success_last, policy.texts


@pytest.mark.parametrize(
    "task",
    [
        "google_robot_move_near",
        "google_robot_close_top_drawer",
        "google_robot_open_middle_drawer",
        "widowx_stack_cube",
        "widowx_put_eggplant_in_basket",
    ],
)
def test_an_episode_of_every_family_can_be_solved(task: str) -> None:
    assert played(make_plan(tasks=[task], limit=1)[0])[0]


def test_the_apple_ends_in_the_drawer_after_two_instructions() -> None:
    success, texts = played(make_plan(tasks=["google_robot_place_apple_in_closed_top_drawer"], limit=1)[0])
    assert texts == ["open top drawer", "place apple into top drawer"]
    assert success
