"""Known errors in what a policy answers: each as a change of one component of its actions.

An error is tried on the side that has it not: if the gripper of REFERENCE, inverted, is that of POLICY, then POLICY inverts it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from policies.base import RobotName

Floats = NDArray[np.float64]
Component = Literal["translation", "rotation", "gripper"]
COLUMNS: dict[Component, slice] = {"translation": slice(0, 3), "rotation": slice(3, 6), "gripper": slice(6, 7)}
ROBOTS: tuple[RobotName, ...] = ("google_robot", "widowx")
GOOGLE: tuple[RobotName, ...] = ("google_robot",)
STICKY_STEPS = 15
BIG = 0.5
"""A change of the gripper beyond it is held."""
SHIFTS = {1: "is one action ahead in every chunk", -1: "is one action behind"}
"""Steps by which a side is ahead of the other."""
SaidChange = Callable[[Floats], Floats]
"""(T, n) of an episode in, (T, n) out."""


@dataclass(frozen=True)
class SaidError:
    """Something wrong with one component of what is answered."""

    name: str
    about: str
    component: Component
    change: SaidChange
    robots: tuple[RobotName, ...] = ROBOTS
    mends: bool = False
    """Whether the change takes the error away instead of making it."""


def _euler(order: str) -> SaidChange:
    return lambda vectors: np.asarray(Rotation.from_rotvec(vectors).as_euler(order), np.float64)


def _vector(order: str) -> SaidChange:
    return lambda angles: np.asarray(Rotation.from_euler(order, angles).as_rotvec(), np.float64)


def _other_order(vectors: Floats) -> Floats:
    """Roll, pitch and yaw of a rotation, taken about axes that turn along."""
    return _vector("XYZ")(_euler("xyz")(vectors))


def _axes(order: list[int]) -> SaidChange:
    return lambda said: said[:, order]


def _inverted_axis(axis: int) -> SaidChange:
    return lambda said: said * np.where(np.arange(3) == axis, -1.0, 1.0)


def held(changes: Floats) -> Floats:
    """(T, 1) a gripper's changes with each big one repeated for 15 steps."""
    said, held_now, left = [], 0.0, 0
    for change in changes[:, 0]:
        if not left and abs(change) > BIG:
            held_now, left = float(change), STICKY_STEPS
        said.append(held_now if left else float(change))
        left = max(0, left - 1)
    return np.array(said)[:, None]


def _change_of(openings: Floats) -> Floats:
    """(T, 1) change of an opening since the step before, + closes."""
    return -np.diff(openings, axis=0, prepend=openings[:1])


def _sticky(opening: Callable[[Floats], Floats], absolute: bool) -> Callable[[Floats], Floats]:
    def again(commands: Floats) -> Floats:
        read = opening(commands)
        return held(1.0 - 2.0 * read if absolute else _change_of(read))

    return again


def _of_vectors(component: Literal["translation", "rotation"]) -> list[SaidError]:
    """Of three numbers: their axes exchanged, or one of them inverted."""
    orders = ([1, 0, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1])
    exchanged = f"has the axes of the {component} in another order"
    return [
        *(SaidError(f"{component}_axes", exchanged, component, _axes(order)) for order in orders),
        *(
            SaidError(
                f"{component}_sign", f"has the {'xyz'[axis]} axis of the {component} inverted", component, _inverted_axis(axis)
            )
            for axis in range(3)
        ),
    ]


def _twice(opening: SaidChange, absolute: bool) -> SaidError:
    return SaidError("gripper_sticky_twice", "makes the gripper sticky twice", "gripper", _sticky(opening, absolute), GOOGLE)


def _same(said: Floats) -> Floats:
    return said


def _zero_one(said: Floats) -> Floats:
    return (said + 1) / 2


def _one_zero(said: Floats) -> Floats:
    return (1 - said) / 2


def _stretched(said: Floats) -> Floats:
    return 2 * said - 1


def _inverted(said: Floats) -> Floats:
    return -said


ONCE_TOO_OFTEN = "stretches the gripper from 0..1 to -1..1 once too often"
SAID: tuple[SaidError, ...] = (
    SaidError("gripper_inverted", "has the gripper inverted", "gripper", _inverted),
    SaidError("gripper_zero_one", "sends the gripper as 0..1 where -1..1 is meant", "gripper", _zero_one),
    SaidError("gripper_zero_one_inverted", "sends the gripper as 1..0 where -1..1 is meant", "gripper", _one_zero),
    SaidError("gripper_stretched", ONCE_TOO_OFTEN, "gripper", _stretched),
    SaidError("gripper_not_sticky", "does not hold the gripper's changes for 15 steps", "gripper", held, GOOGLE, True),
    *(_twice(opening, False) for opening in (_same, _one_zero, _zero_one)),
    *(_twice(opening, True) for opening in (_same, _zero_one)),
    SaidError("rotation_euler", "sends Euler angles as a rotation vector", "rotation", _euler("xyz")),
    SaidError("rotation_euler_order", "turns about its Euler axes in the other order", "rotation", _other_order),
    SaidError("rotation_inverted", "turns the other way", "rotation", _inverted),
    SaidError("rotation_degrees", "sends degrees where radians are meant", "rotation", np.rad2deg),
    SaidError("translation_inverted", "moves the other way", "translation", _inverted),
    SaidError("translation_millimetres", "sends millimetres where metres are meant", "translation", lambda said: said * 1000),
    *_of_vectors("translation"),
    *_of_vectors("rotation"),
)
"""The plainest first: of several that explain the same, the first is named."""
