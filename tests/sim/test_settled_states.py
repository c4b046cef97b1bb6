"""Settled states: simulated once a process for all episodes that share them, and the same whichever episode comes first."""

from __future__ import annotations

import numpy as np
import pytest

from eval.assets.resolver import Assets
from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from eval.sim import settled_states
from eval.sim.contents import settling_inputs
from eval.sim.settled_states import settle_afresh, settled_objects
from eval.sim.settling import Settled
from eval.sim.world import World

CARROT = make_plan(tasks=["widowx_carrot_on_plate"], limit=1)[0]


def numbers(settled: tuple[Settled, ...]) -> list[float]:
    return [float(n) for s in settled for n in (*s.pose, *s.velocity, s.asleep, s.reference_height)]


def test_google_visual_matching_settles_144_times() -> None:
    plan = [spec for spec in make_plan("google_robot_visual_matching") if spec.objects]
    assert len(plan) == 648
    assert len({settling_inputs(spec) for spec in plan}) == 144


def test_what_was_played_before_does_not_move_a_settled_object() -> None:
    assets = Assets([])
    for spec in (CARROT, make_plan(tasks=["google_robot_pick_coke_can"], limit=1)[0]):
        first = settle_afresh(settling_inputs(spec), assets)
        world = World(assets, render=False)
        world.begin(spec)
        world.play(np.array([0.01, 0.0, -0.01, 0.0, 0.0, 0.0, 1.0]))
        assert numbers(settle_afresh(settling_inputs(spec), assets)) == numbers(first)
        assert numbers(settled_objects(spec, assets)) == numbers(first)


def changed(spec: EpisodeSpec, what: str) -> EpisodeSpec:
    item = spec.objects[0]
    return spec.model_copy(
        update={
            "colours": {"urdf_version": "recolor_sim", "lighting": "darker", "variant": "another", "index": 9},
            "height": {"objects": (item.model_copy(update={"z": item.z + 0.01}), *spec.objects[1:])},
            "frequency": {"sim_freq": 2 * spec.sim_freq},
            "offset": {"physics": spec.physics.model_copy(update={"contact_offset": 0.01})},
            "ghost stage": {"physics": spec.physics.model_copy(update={"stage_collides": False})},
            "scene": {"scene": "bridge_table_1_v2"},
        }[what]
    )


@pytest.mark.parametrize(
    ("what", "times"),
    [("colours", 1), ("height", 2), ("frequency", 2), ("offset", 2), ("ghost stage", 2), ("scene", 2)],
)
def test_only_what_settling_depends_on_makes_it_settle_again(monkeypatch, what: str, times: int) -> None:
    settlings: list[object] = []
    monkeypatch.setattr(settled_states, "_kept", type(settled_states._kept)())
    monkeypatch.setattr(settled_states, "settle_afresh", lambda inputs, assets: settlings.append(inputs) or ())
    for spec in (CARROT, changed(CARROT, what), CARROT):
        settled_objects(spec, Assets([]))
    assert len(settlings) == times


def test_the_cabinet_counts_by_its_file_and_friction_and_not_by_its_drawers() -> None:
    spec = make_plan(tasks=["google_robot_place_apple_in_closed_top_drawer"], limit=1)[0]
    assert spec.cabinet is not None

    def other(**cabinet: object) -> bool:
        changed = spec.model_copy(update={"cabinet": spec.cabinet.model_copy(update=cabinet)})
        return settling_inputs(changed) != settling_inputs(spec)

    assert other(joint_friction=0.9)
    assert other(station="mk_station2")
    assert not other(qpos=(0.1, 0.0, 0.0), drawer="bottom")


def test_the_store_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(settled_states, "_kept", type(settled_states._kept)())
    monkeypatch.setattr(settled_states, "KEPT", 2)
    monkeypatch.setattr(settled_states, "settle_afresh", lambda inputs, assets: ())
    for frequency in (500, 501, 502, 500):
        settled_objects(CARROT.model_copy(update={"sim_freq": frequency}), Assets([]))
    kept = [inputs.sim_freq for inputs, _, _ in settled_states._kept]
    assert kept == [502, 500]
