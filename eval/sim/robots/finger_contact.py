"""Contact of the Google fingers at the beginning of a control step, and the two laws that depend on it.

While a finger is blocked, the joint velocity that PhysX 4 reports is solver noise that matters: the original's gripper
plan starts from it and squeezes on or lets go accordingly. PhysX 5 reports another sign. The model here gives the velocity
that 2.2.2 reads; derivation in ``docs/contact.md``. Order of fingers: right, left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sapien
from numpy.typing import NDArray

from eval.sim.robots.squeeze import FingerDrive, FreeBody, Press, closing_speed

Array = NDArray[np.float64]

IMPULSE_THRESHOLD = 1e-6
FREE_ERROR = 0.02
"""rad; a finger that lags less than this behind its target counts as free."""
COMPLIANCE, COMPLIANCE_PER_KG = 0.046, 4.84
"""Lag [rad] over velocity [rad/s] of a finger pressing on an object against anything but the other finger: constant part and
part per kg of the object. Fitted over recordings of 2.2.2."""
SQUEEZE = 0.05
"""rad; how far a hand closed on itself may be commanded beyond where its fingers are."""

SIDES: Mapping[str, frozenset[str]] = {
    "right": frozenset({"link_finger_right", "link_finger_tip_right", "link_finger_nail_right"}),
    "left": frozenset({"link_finger_left", "link_finger_tip_left", "link_finger_nail_left"}),
}
SIDE_OF: Mapping[str, str] = {link: side for side, links in SIDES.items() for link in links}


@dataclass(frozen=True)
class Pressed:
    """A free object that a finger presses on, at one or more points."""

    body: sapien.physx.PhysxRigidDynamicComponent
    impulse: Array
    """(3,) N s, on the object."""
    weighted_place: Array
    """(3,) m N s, sum of the points, weighted by their impulses."""
    weight: float
    """N s, sum of these."""

    def press(self, joint: sapien.Pose) -> Press:
        """All points as one; ``joint``: the finger's, which turns about its x axis and closes with growing angle."""
        place = self.weighted_place / self.weight
        axis = joint.to_transformation_matrix()[:3, 0]
        centre = (self.body.entity.pose * self.body.cmass_local_pose).p
        return Press(place - centre, self.impulse / np.linalg.norm(self.impulse), np.cross(axis, place - joint.p))


@dataclass(frozen=True)
class Touch:
    """The bodies that one finger touches."""

    other_finger: bool = False
    pressed: Pressed | None = None
    """The heaviest free object touched."""
    fixture: bool = False
    """Stage, cabinet or another part of the robot."""


def finger_touches(contacts: Iterable[sapien.physx.PhysxContact], robot_links: frozenset[str]) -> dict[str, Touch]:
    """Touch of the ``right`` and ``left`` finger from the contacts of the last substep."""
    touches: dict[str, Touch] = {side: Touch() for side in SIDES}
    for contact in contacts:
        names = [body.entity.name for body in contact.bodies]
        for mine in (0, 1):
            side = SIDE_OF.get(names[mine])
            if side is None or SIDE_OF.get(names[1 - mine]) == side or not contact.points:
                continue
            impulses = np.array([point.impulse for point in contact.points], dtype=np.float64)
            impulse = impulses.sum(axis=0) * (1.0 if mine == 1 else -1.0)  # the engine's acts on the first body
            if float(np.linalg.norm(impulse)) <= IMPULSE_THRESHOLD:
                continue
            if names[1 - mine] in SIDE_OF:
                touches[side] = replace(touches[side], other_finger=True)
            elif names[1 - mine] not in robot_links and _is_free(contact.bodies[1 - mine]):
                weights = np.linalg.norm(impulses, axis=1)
                places = np.array([point.position for point in contact.points], dtype=np.float64)
                pressed = Pressed(contact.bodies[1 - mine], impulse, weights @ places, float(weights.sum()))
                touches[side] = replace(touches[side], pressed=_heavier(touches[side].pressed, pressed))
            else:
                touches[side] = replace(touches[side], fixture=True)
    return touches


def _is_free(body: sapien.physx.PhysxRigidBaseComponent) -> bool:
    return isinstance(body, sapien.physx.PhysxRigidDynamicComponent)


def _heavier(one: Pressed | None, other: Pressed) -> Pressed:
    """Two contacts with the same object are one."""
    if one is None or one.body.mass < other.body.mass:
        return other
    if one.body != other.body:
        return one
    place = one.weighted_place + other.weighted_place
    return Pressed(one.body, one.impulse + other.impulse, place, one.weight + other.weight)


class ReadVelocities:
    """What the original would read from the fingers at the beginning of a control step."""

    def __init__(self, joints: Sequence[sapien.physx.PhysxArticulationJoint], drive: FingerDrive, timestep: float) -> None:
        self._joints, self._drive, self._timestep = joints, drive, timestep

    def __call__(self, touches: Sequence[Touch], lags: Array, commanded: Array) -> Array:
        """(2,) rad/s.

        lags: (2,) rad, clamped last targets minus sensed angles; commanded: (2,) rad/s, the plan's in the last substep.
        """
        velocities = np.array([_alone(t, float(e), float(v)) for t, e, v in zip(touches, lags, commanded, strict=True)])
        closing = all(lag > FREE_ERROR for lag in lags) and not any(touch.other_finger for touch in touches)
        right, left = (touch.pressed for touch in touches)
        if closing and right is not None and left is not None and right.body == left.body:
            presses = [p.press(joint.global_pose) for p, joint in zip((right, left), self._joints, strict=True)]
            velocities[:] = closing_speed(_free_body(right.body), presses, lags, self._drive, self._timestep) / 2
        return velocities.clip(-1.0, 1.0)


def _alone(touch: Touch, lag: float, commanded: float) -> float:
    """What one finger reads that does not squeeze anything with the other one."""
    if abs(lag) <= FREE_ERROR:
        return commanded
    if touch.other_finger:
        return 0.0
    if touch.pressed is not None:
        return lag / (COMPLIANCE + COMPLIANCE_PER_KG * float(touch.pressed.body.mass))
    return 0.0 if touch.fixture else commanded


def _free_body(body: sapien.physx.PhysxRigidDynamicComponent) -> FreeBody:
    turn = (body.entity.pose * body.cmass_local_pose).to_transformation_matrix()[:3, :3].astype(np.float64)
    return FreeBody(float(body.mass), turn @ np.diag(np.asarray(body.inertia, dtype=np.float64)) @ turn.T)


def soften(position: Array, velocity: Array, mean_angle: float) -> None:
    """Limit, in place, what is sent to the drives of a hand closed on itself: its full force would push the arm away."""
    np.minimum(position, mean_angle + SQUEEZE, out=position)
    np.minimum(velocity, 0.0, out=velocity)
