"""The world as a Gymnasium environment, on the built-in assets."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from eval.assets.resolver import Assets
from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from eval.sim import world as world_module
from eval.sim.robots.base import pose_array
from eval.sim.world import World


def _world(task: str) -> World:
    return World(Assets([]), render=False, spec=make_plan(tasks=[task], limit=1)[0])


@pytest.mark.parametrize("task", ["google_robot_pick_coke_can", "widowx_carrot_on_plate"])
def test_gymnasium_accepts_the_environment(task: str) -> None:
    check_env(_world(task), skip_render_check=True)


def test_an_action_with_nan_or_of_another_length_is_refused() -> None:
    world = _world("widowx_carrot_on_plate")
    world.reset()
    with pytest.raises(ValueError, match="7 finite numbers"):
        world.step(np.array([0.0, 0.0, np.nan, 0.0, 0.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match="7 finite numbers"):
        world.step(np.zeros(6))


@pytest.mark.parametrize("action", [np.ma.masked_equal([0.0, 0, 0, 0, 0, 0, 1], 1), np.full(7, 1e-3j)])
def test_numbers_of_which_a_part_would_be_lost_are_no_action(action: np.ndarray) -> None:
    world = _world("widowx_carrot_on_plate")
    world.reset()
    with pytest.raises(ValueError, match="7 finite numbers"):
        world.step(action)
    unmasked = np.ma.MaskedArray(np.zeros(7))
    world.step(unmasked)


def test_an_episode_does_not_depend_on_what_was_played_before() -> None:
    second = make_plan(tasks=["google_robot_pick_coke_can"], setting="visual_matching", limit=2)[1]
    action = np.array([0.02, 0.01, -0.02, 0.0, 0.0, 0.05, 1.0])

    def play(world: World) -> np.ndarray:
        world.reset(options={"spec": second})
        return np.array([world.step(action)[0]["qpos"] for _ in range(4)])

    fresh, used = (World(Assets([]), render=False) for _ in range(2))
    for task in ("google_robot_pick_coke_can", "widowx_carrot_on_plate"):  # another episode, and another robot
        used.reset(options={"spec": make_plan(tasks=[task], limit=1)[0]})
        for _ in range(3):
            used.step(action)
    np.testing.assert_array_equal(play(used), play(fresh))


def test_one_scene_at_a_time_holds_memory_and_none_after_close(monkeypatch: pytest.MonkeyPatch) -> None:
    scenes, alive_while_building = [], []
    build = world_module.build_scene

    def build_and_look(*args, **options):
        alive_while_building.append(sum(scene() is not None for scene in scenes))
        scene = build(*args, **options)
        scenes.append(weakref.ref(scene.engine))
        return scene

    monkeypatch.setattr(world_module, "build_scene", build_and_look)
    world = World(Assets([]), render=False)
    for task in ("google_robot_pick_coke_can", "widowx_carrot_on_plate", "google_robot_open_drawer"):
        world.reset(options={"spec": make_plan(tasks=[task], limit=1)[0]})
        world.step(np.zeros(7))
    assert alive_while_building == [0, 0, 0]
    assert scenes[-1]() is not None
    world.close()
    assert scenes[-1]() is None
    with pytest.raises(RuntimeError, match="reset the world first"):
        world.step(np.zeros(7))


def test_worlds_side_by_side_in_one_process_play_as_each_does_alone() -> None:
    tasks = ("google_robot_pick_coke_can", "widowx_carrot_on_plate", "google_robot_open_drawer")
    plan = [make_plan(tasks=[task], setting="visual_matching", limit=1)[0] for task in tasks]
    action = np.array([0.02, 0.01, -0.02, 0.0, 0.0, 0.05, 1.0])

    def played(spec: EpisodeSpec) -> Iterator[tuple[float, ...]]:
        world = World(Assets([]), render=False)
        world.begin(spec)
        for _ in range(5):
            world.play(action)
            things = [pose_array(thing.pose) for thing in world.scene.objects.values()]
            yield tuple(np.concatenate([world.scene.robot.qpos, world.scene.robot.qvel, world.tcp_pose, *things]).tolist())

    alone = [list(played(spec)) for spec in plan]
    assert list(map(list, zip(*zip(*map(played, plan), strict=True), strict=True))) == alone


def test_success_needs_the_can_in_the_air() -> None:
    world = _world("google_robot_pick_coke_can")
    _, info = world.reset()
    assert info["success"] is False
    assert info["instruction"] == "pick coke can"
    _, reward, terminated, _, info = world.step(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]))
    assert (reward, terminated, info["success"]) == (0.0, False, False)
    assert info["elapsed_steps"] == 1
