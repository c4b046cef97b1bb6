"""Dropping objects onto the stage before an episode (docs/simpler.md 9.4).

Settling runs in a scene of its own under TGS, with the stage and the objects only (the original sends the robot ten metres
away meanwhile). It always starts from a fresh scene, so the result depends on its arguments alone and can be kept
(:mod:`eval.sim.settled_states`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sapien
from numpy.typing import NDArray

from eval.episode import ObjectSpec
from eval.sim.objects import body_of, speeds
from eval.sim.physics import SETTLING_FREE, SETTLING_UPRIGHT, new_scene, new_system

STILL_LINEAR, STILL_ANGULAR = 1e-3, 1e-2
FREE, LOCK_ALL = [False] * 6, [True] * 6
LOCK_TILT = [False, False, False, True, True, False]
LOCK_ALL_BUT_FALL = [True, True, False, True, True, False]


@dataclass(frozen=True)
class Settled:
    """State of one object when the robot is put in place."""

    pose: NDArray[np.float32]
    """(7,) x y z qw qx qy qz, world, actor frame."""
    velocity: NDArray[np.float32]
    """(6,) linear m/s, angular rad/s."""
    asleep: bool
    reference_height: float
    """m; height of the actor frame that success rules compare with."""


class _Drop:
    def __init__(self, timestep: float, sim_freq: int, contact_offset: float) -> None:
        self.system = new_system(timestep, SETTLING_UPRIGHT, contact_offset)
        self.scene = new_scene(self.system, render=False)
        self.sim_freq = sim_freq

    def run(self, seconds: float) -> None:
        for _ in range(int(self.sim_freq * seconds)):
            self.system.step()

    @staticmethod
    def place(entity: sapien.Entity, spec: ObjectSpec, locks: list[bool]) -> None:
        entity.pose = sapien.Pose([*spec.xy, spec.z], spec.quat)
        stop(entity)
        body_of(entity).set_locked_motion_axes(locks)

    @staticmethod
    def release(entity: sapien.Entity) -> None:
        body = body_of(entity)
        body.set_locked_motion_axes(FREE)
        body.solver_position_iterations = SETTLING_FREE.position_iterations
        entity.pose = entity.pose  # a pose that is set wakes the body
        stop(entity)
        body.wake_up()

    def rest(self, entities: Sequence[sapien.Entity]) -> None:
        linear, angular = speeds(entities)
        if linear > STILL_LINEAR or angular > STILL_ANGULAR:
            self.run(1.5)


def stop(entity: sapien.Entity) -> None:
    """Zero velocity."""
    body = body_of(entity)
    body.linear_velocity = body.angular_velocity = [0.0, 0.0, 0.0]


def settle(
    objects: Sequence[ObjectSpec],
    build: Callable[[sapien.Scene], Sequence[sapien.Entity]],
    sim_freq: int,
    contact_offset: float,
) -> list[Settled]:
    """Drop the objects and let them come to rest.

    build: puts the stage and the objects (in the order of ``objects``) into a scene without renderer; contact_offset: m.
    Distractors fall one after another once the others lie still; those wait where they were created
    (docs/simpler.md Q21). Fixtures
    stand where they stand.
    """
    if not objects:
        return []
    drop = _Drop(1.0 / sim_freq, sim_freq, contact_offset)
    entities = list(build(drop.scene))
    pairs = list(zip(entities, objects, strict=True))
    for entity, spec in pairs:
        if spec.role == "fixture":
            drop.place(entity, spec, LOCK_ALL)
    main = [(entity, spec) for entity, spec in pairs if spec.role not in ("distractor", "fixture")]
    others = [(entity, spec) for entity, spec in pairs if spec.role == "distractor"]
    for entity, spec in main:
        drop.place(entity, spec, LOCK_TILT)
    drop.run(0.5)
    for entity, _ in main:
        drop.release(entity)
    drop.run(0.5)
    drop.rest([entity for entity, _ in main])
    heights = {id(entity): float(entity.pose.p[2]) for entity in entities}
    for entity, spec in others:
        drop.place(entity, spec, LOCK_ALL_BUT_FALL)
        drop.run(0.5)
    for entity, _ in others:
        drop.release(entity)
        drop.run(0.5)
    if others:
        drop.rest([entity for entity, _ in others])
    return [_settled(entity, heights[id(entity)], spec) for entity, spec in pairs]


def _settled(entity: sapien.Entity, height: float, spec: ObjectSpec) -> Settled:
    body = body_of(entity)
    pose = entity.pose
    reference = float(pose.p[2]) if spec.role == "distractor" else height
    return Settled(
        np.concatenate([pose.p, pose.q]).astype(np.float32),
        np.concatenate([body.linear_velocity, body.angular_velocity]).astype(np.float32),
        bool(body.is_sleeping),
        reference,
    )
