"""Steering a tool towards a pose, in the robot's base axes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]

NEAR = 0.55
"""m."""
MAX_LEAN = 0.6
"""rad."""
STANDING = 0.002
"""m in one step, plus as many tenths of a radian: a tool that moves less stands still."""
STANDING_STEPS = 3
"""Steps in a row after which a tool that stands still will not get nearer: a joint has reached its stop."""


class Placed(Protocol):
    """Where a robot is, as the simulator says (``policies.base.Privileged``) or it feels; poses (7,) x y z qw qx qy qz."""

    @property
    def tcp(self) -> Array:
        """Pose of the tool."""

    @property
    def base(self) -> Array:
        """Pose of the robot's base, in the same frame."""


@dataclass(frozen=True)
class Hand:
    """A robot's hand: axes, commands and pace."""

    approach: int
    """Column that points from the wrist to the fingertips."""
    closing: int
    """Column of the tool's rotation matrix along which the fingers meet."""
    open_command: float
    hold_command: float
    close_command: float
    lean: float
    """rad, away from the robot, at the distance NEAR from its base."""
    lean_per_metre: float
    step: float
    """m, largest translation in one control step."""
    turn: float
    """rad, largest rotation in one control step."""
    fingertips: float
    """m, how far the fingers reach beyond the tool when they close around a thing."""


GOOGLE = Hand(
    approach=2,
    closing=1,
    lean=0.33,
    lean_per_metre=1.2,
    open_command=-1.0,
    hold_command=0.0,
    close_command=1.0,
    step=0.04,
    turn=0.15,
    fingertips=0.006,
)
WIDOWX = Hand(
    approach=0,
    closing=1,
    lean=0.0,
    lean_per_metre=0.0,
    open_command=1.0,
    hold_command=1.0,
    close_command=-1.0,
    step=0.022,
    turn=0.15,
    fingertips=0.0,
)

BRISK = replace(GOOGLE, step=0.12, turn=0.25)
"""The pace where nothing is near."""


class Standstill:
    """Notices that a tool gets no further, however it is steered."""

    def __init__(self) -> None:
        self._last: Array | None = None
        self._steps = 0

    def seen(self, state: Placed) -> bool:
        """Whether the tool has stood still in the last steps; call it once a step."""
        last, self._last = self._last, np.array(state.tcp)
        if last is None:
            return False
        moved = distance(state, last[:3]) + angle_to(state, rotation(last)) / 10
        self._steps = self._steps + 1 if moved < STANDING else 0
        return self._steps >= STANDING_STEPS


def hand_of(robot: str) -> Hand:
    """The hand of ``google_robot`` or ``widowx``."""
    return WIDOWX if robot == "widowx" else GOOGLE


def rotation(pose: Array) -> Rotation:
    """Rotation of a pose (7,) x y z qw qx qy qz."""
    return Rotation.from_quat(np.roll(pose[3:], -1))


def grasp_rotation(hand: Hand, state: Placed, position: Array, across: Array | None, level: bool = False) -> Rotation:
    """Tool rotation for grasping at ``position`` (3,) from above, the fingers closing along ``across``.

    across: (3,) direction, its sign does not matter; None closes sideways to the arm. The hand leans away from the
    robot, the more the farther it reaches: straight down would bend a Google wrist beyond its limit. ``level``: it does
    not lean along ``across``, so that both fingers come down equally far.
    """
    reach = position[:2] - state.base[:2]
    far = float(np.linalg.norm(reach))
    forward = np.array([*(reach / far), 0.0])
    lean = float(np.clip(hand.lean + hand.lean_per_metre * (far - NEAR), 0.0, MAX_LEAN))
    approach = np.cos(lean) * np.array([0.0, 0.0, -1.0]) + np.sin(lean) * forward
    closing = np.cross([0.0, 0.0, 1.0], forward) if across is None else across / np.linalg.norm(across)
    if level:
        approach = _unit(approach - (approach @ closing) * closing)
    closing = _unit(closing - (closing @ approach) * approach)
    if closing @ rotation(state.tcp).as_matrix()[:, hand.closing] < 0:
        closing = -closing  # half a turn swaps the fingers
    matrix = np.empty((3, 3))
    matrix[:, hand.approach], matrix[:, hand.closing] = approach, closing
    third = 3 - hand.approach - hand.closing
    sign = 1.0 if (hand.approach + 1) % 3 == hand.closing else -1.0
    matrix[:, third] = sign * np.cross(approach, closing)
    return Rotation.from_matrix(matrix)


def distance(state: Placed, position: Array) -> float:
    """m from the tool to a position, in the frame that both poses are given in, as everywhere here."""
    return float(np.linalg.norm(state.tcp[:3] - position))


def angle_to(state: Placed, target: Rotation) -> float:
    """rad from the tool's rotation to ``target``."""
    return float((target * rotation(state.tcp).inv()).magnitude())


def raised(position: Array, height: float) -> Array:
    """(3,) the point ``height`` metres above a position."""
    return np.asarray(position + np.array([0.0, 0.0, height]))


def steer(hand: Hand, state: Placed, position: Array, target: Rotation, gripper: float) -> Array:
    """(7,) action that brings the tool towards a pose, limited to the hand's pace."""
    base = rotation(state.base)
    shift = base.inv().apply(position - state.tcp[:3])
    turn = base.inv().apply((target * rotation(state.tcp).inv()).as_rotvec())
    return np.concatenate([_limited(shift, hand.step), _limited(turn, hand.turn), [gripper]])


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))


def _limited(vector: Array, most: float) -> Array:
    length = float(np.linalg.norm(vector))
    return vector if length <= most else vector * (most / length)
