"""What dropped objects do: they come to rest upright, distractors later than the others, fixtures never move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import sapien

from eval.episode import ObjectSpec
from eval.sim.settling import LOCK_ALL, Settled, settle

HALF = 0.02


def box(role: str, x: float, z: float = 0.1) -> ObjectSpec:
    size = (2 * HALF, 2 * HALF, 2 * HALF)
    return ObjectSpec(model=f"{role} at {x}", role=role, xy=(x, 0.0), z=z, quat=(1.0, 0.0, 0.0, 0.0), density=500.0, size=size)


def build(scene: sapien.Scene, objects: Sequence[ObjectSpec]) -> list[sapien.Entity]:
    scene.add_ground(0.0, render=False)
    entities = []
    for item in objects:
        builder = scene.create_actor_builder()
        builder.add_box_collision(half_size=[HALF] * 3, density=item.density)
        builder.initial_pose = sapien.Pose()
        entities.append(builder.build(name=item.model))
        if item.role == "fixture":
            entities[-1].find_component_by_type(sapien.physx.PhysxRigidDynamicComponent).set_locked_motion_axes(LOCK_ALL)
    return entities


def settled(*objects: ObjectSpec) -> list[Settled]:
    return settle(objects, lambda scene: build(scene, objects), 500, 0.02)


def test_objects_come_to_rest_where_they_fall() -> None:
    target, distractor = settled(box("target", 0.5), box("distractor", 1.0))
    for state, x in ((target, 0.5), (distractor, 1.0)):
        np.testing.assert_allclose(state.pose[:3], [x, 0.0, HALF], atol=1e-3)
        np.testing.assert_allclose(np.abs(state.pose[3:]), [1.0, 0.0, 0.0, 0.0], atol=1e-3)
        assert np.abs(state.velocity).max() < 1e-2
        assert state.reference_height == pytest.approx(HALF, abs=1e-3)


def test_a_fixture_stays_in_the_air() -> None:
    (fixture,) = settled(box("fixture", 0.5, z=0.3))
    np.testing.assert_allclose(fixture.pose[:3], [0.5, 0.0, 0.3], atol=1e-6)
    assert not fixture.velocity.any()


def test_the_height_of_a_target_is_taken_before_distractors_fall() -> None:
    target, _ = settled(box("target", 0.5), box("distractor", 0.5, z=0.3))  # falls on the target's top
    assert target.reference_height == pytest.approx(HALF, abs=1e-3)


def test_nothing_settles_without_objects() -> None:
    assert settled() == []
