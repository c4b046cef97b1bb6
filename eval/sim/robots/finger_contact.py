"""Contact of the Google fingers at the beginning of a control step, and the two laws that depend on it.

While a finger is blocked, the joint velocity that PhysX 4 reports is solver noise that matters: the original's gripper
plan starts from it and squeezes on or lets go accordingly. PhysX 5 reports another sign. The model here gives the velocity
that 2.2.2 reads, fitted over its recordings; derivation in ``docs/contact.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import sapien
from numpy.typing import NDArray

IMPULSE_THRESHOLD = 1e-6
FREE_ERROR = 0.02
"""rad; a finger that lags less than this behind its target counts as free."""
COMPLIANCE, COMPLIANCE_PER_KG = 0.046, 4.84
"""Lag [rad] over velocity [rad/s] of a finger pressing on an object: constant part and part per kg of the object."""
SQUEEZE = 0.05
"""rad; how far a hand closed on itself may be commanded beyond where its fingers are."""

SIDES: Mapping[str, frozenset[str]] = {
    "right": frozenset({"link_finger_right", "link_finger_tip_right", "link_finger_nail_right"}),
    "left": frozenset({"link_finger_left", "link_finger_tip_left", "link_finger_nail_left"}),
}
SIDE_OF: Mapping[str, str] = {link: side for side, links in SIDES.items() for link in links}


@dataclass(frozen=True)
class Touch:
    """The bodies that one finger touches."""

    other_finger: bool = False
    object_mass: float | None = None
    """kg, of the heaviest free object touched."""
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
            impulse = np.add.reduce([point.impulse for point in contact.points], axis=0)
            if float(np.linalg.norm(impulse)) <= IMPULSE_THRESHOLD:
                continue
            touches[side] = _merge(touches[side], contact.bodies[1 - mine], names[1 - mine], robot_links)
    return touches


def _merge(touch: Touch, body: sapien.physx.PhysxRigidBaseComponent, name: str, robot_links: frozenset[str]) -> Touch:
    if name in SIDE_OF:
        return Touch(True, touch.object_mass, touch.fixture)
    free = isinstance(body, sapien.physx.PhysxRigidDynamicComponent) and name not in robot_links
    if free:
        return Touch(touch.other_finger, max(body.mass, touch.object_mass or 0.0), touch.fixture)
    return Touch(touch.other_finger, touch.object_mass, True)


def start_velocity(touch: Touch, lag: float, commanded: float) -> float:
    """rad/s that the original would read from this finger.

    lag: rad, clamped last target minus sensed angle; commanded: rad/s, the plan's velocity in the last substep.
    """
    if abs(lag) <= FREE_ERROR:
        velocity = commanded
    elif touch.other_finger:
        velocity = 0.0
    elif touch.object_mass is not None:
        velocity = lag / (COMPLIANCE + COMPLIANCE_PER_KG * touch.object_mass)
    elif touch.fixture:
        velocity = 0.0
    else:
        velocity = commanded
    return float(np.clip(velocity, -1.0, 1.0))


def soften(position: NDArray[np.float64], velocity: NDArray[np.float64], mean_angle: float) -> None:
    """Limit, in place, what is sent to the drives of a hand closed on itself: its full force would push the arm away."""
    np.minimum(position, mean_angle + SQUEEZE, out=position)
    np.minimum(velocity, 0.0, out=velocity)
