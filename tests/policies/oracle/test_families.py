"""The oracle solves one episode of every family on our own stand-ins: the worlds can be played to the end."""

from __future__ import annotations

from typing import Any

import pytest

from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from eval.sim import Assets, World, make_world
from policies.base import Observation, Proprio
from policies.oracle import OraclePolicy


def observation(world: World, spec: EpisodeSpec, seen: dict[str, Any], info: dict[str, Any]) -> Observation:
    tool = seen["tcp_pose"]
    feels = Proprio(tool[:3], tool[3:], float(seen["gripper_opening"][0]), seen["qpos"])
    robot = spec.robot_family
    state = world.privileged()
    return Observation(spec.id, info["elapsed_steps"], robot, info["instruction"], None, feels, state)  # type: ignore[arg-type]


def played(spec: EpisodeSpec) -> tuple[bool, list[str]]:
    """Success at the end, and the instructions in their order; by the evaluator's rules for "done" (protocol 2)."""
    world, policy = make_world(spec, Assets([]), render=False), OraclePolicy()
    seen, info = world.reset()
    texts, success, truncated, ended = [info["instruction"]], False, False, False
    while not (truncated or ended):
        final = info["is_final_subtask"]
        (action,) = policy.act([observation(world, spec, seen, info)])
        if action.terminate and not final:
            world.advance_to_next_subtask()
        seen, _, success, truncated, info = world.step(action.command)
        ended = action.terminate and final
        if info["instruction"] != texts[-1]:
            texts.append(info["instruction"])
    return success, texts


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
