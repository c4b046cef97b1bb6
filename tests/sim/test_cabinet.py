"""The cabinet: starts as the episode says, slides like the original's, and knows what lies in a drawer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eval.assets.resolver import Assets
from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from eval.sim.settled_states import settled_objects
from eval.sim.world import World

STILL = np.zeros(7)


def spec_of(task: str, **cabinet: object) -> EpisodeSpec:
    spec = make_plan(tasks=[task], limit=1)[0]
    assert spec.cabinet is not None
    return spec.model_copy(update={"cabinet": spec.cabinet.model_copy(update=cabinet)})


def begun(spec: EpisodeSpec) -> World:
    world = World(Assets([]), render=False)
    world.begin(spec)
    return world


def openings(world: World) -> list[float]:
    assert world.scene.cabinet is not None
    return [float(q) for q in world.scene.cabinet.qpos]


def test_drawers_begin_as_the_episode_says_and_stay() -> None:
    world = begun(spec_of("google_robot_close_drawer"))
    assert openings(world) == pytest.approx([0.2, 0.0, 0.0])
    _, _, success, _, info = world.step(STILL)
    assert openings(world) == pytest.approx([0.2, 0.0, 0.0], abs=1e-4)
    assert (success, info["episode_stats"]) == (False, {"qpos": "0.200"})


@pytest.mark.parametrize(("force", "least", "most"), [(5.0, 0.0, 0.001), (7.0, 0.005, 0.1)])
def test_friction_holds_a_drawer_up_to_between_five_and_seven_newtons(force: float, least: float, most: float) -> None:
    """The original's begins to move at about 5.6 N (docs/simpler.md 9.3)."""
    world = begun(spec_of("google_robot_open_top_drawer"))
    cabinet, system = world.scene.cabinet, world.scene.system
    assert cabinet is not None
    for _ in range(200):
        cabinet.articulation.set_qf(np.array([force, 0.0, 0.0], dtype=np.float32))
        system.step()
    assert least <= openings(world)[0] <= most


def test_only_what_lies_in_the_drawer_of_the_task_counts() -> None:
    spec = spec_of("google_robot_place_apple_in_closed_top_drawer", qpos=(0.35, 0.35, 0.0))
    world = begun(spec)
    on_top = world.step(STILL)[4]["episode_stats"]
    assert on_top["has_contact"] == 0

    (rest,) = settled_objects(spec, Assets([]))
    inside = replace(rest, pose=np.array([0.12, 0.0, 0.70, 1, 0, 0, 0], dtype=np.float32), asleep=False)
    world.begin(spec, [inside])
    world.advance_to_next_subtask()
    for _ in range(4):
        _, _, success, _, info = world.step(STILL)
    assert success
    assert info["episode_stats"]["has_contact"] >= 2
    assert info["instruction"] == "place apple into top drawer"

    below = replace(rest, pose=np.array([0.12, 0.0, 0.455, 1, 0, 0, 0], dtype=np.float32), asleep=False)
    world.begin(spec, [below])
    for _ in range(4):
        info = world.step(STILL)[4]
    assert info["episode_stats"] == {"qpos": pytest.approx(0.35, abs=1e-3), "is_drawer_open": True, "has_contact": 0}


def test_nothing_of_the_room_is_in_the_way_of_a_falling_object() -> None:
    """Rooms are visual only in these tasks (docs/simpler.md 9.1): an object that misses the cabinet falls for ever."""
    spec = spec_of("google_robot_place_apple_in_closed_top_drawer")
    world = World(Assets([]), render=False)
    (rest,) = settled_objects(spec, Assets([]))
    world.begin(spec, [replace(rest, pose=np.array([0.5, 0.8, 0.3, 1, 0, 0, 0], dtype=np.float32), asleep=False)])
    for _ in range(3):
        world.step(STILL)
    assert world.privileged().objects[spec.objects[0].model][2] < -1.0


def test_the_photo_shows_sink_and_basket_itself() -> None:
    world = begun(make_plan(tasks=["widowx_put_eggplant_in_basket"], limit=1)[0])
    shown = {entity.name for entity in world.scene.foreground()}
    assert "eggplant" in shown
    assert not shown & {"sink", "dummy_sink_target_plane", "arena"}
    drawers = begun(spec_of("google_robot_open_top_drawer"))
    assert {"body", "top_drawer"} <= {entity.name for entity in drawers.scene.foreground()}
