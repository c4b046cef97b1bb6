"""Pick the target up from above and hold it, whoever brought the hand and the target where they are."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from policies.base import Action, Observation, Privileged
from policies.motion import Array, Hand, angle_to, distance, hand_of, raised, rotation, steer
from policies.oracle.feeling import Feeling, closing
from policies.oracle.grasping import clearance, grasp_of
from policies.oracle.pick import HELD_STEPS, LIFT
from policies.oracle.state import privileged_of

ASIDE, CONE = 0.012, 0.25
"""m to the side of the grasp at which the hand may be at its height, and how much more a metre above it; else it rises."""
STRAIGHT, LOW = 0.12, 0.04
"""rad, that the hand may be turned away from the grasp, unless it is this low [m] above it or gets no straighter."""
AT_GRASP, NEARLY = 0.006, 0.015
"""m from the grasp at which the fingers close: at once, and where the hand gets no further."""
IN_HAND = 0.03
"""m, from the grasp to the tool, while the fingers have the target between them."""
LIFTED = 0.03
"""m above where it lay: the target is off the table, as the task counts it."""


class PickFromState:
    """Every action follows from where things are and how they moved in the last steps; the path is that of :class:`Pick`.

    It remembers how high the target lay at first, how the hand was turned when it grasped, and for how long it has held it.
    """

    def __init__(self) -> None:
        self._feeling = Feeling()
        self._rest: float | None = None
        self._grasped: Rotation | None = None
        self._held = 0

    def act(self, observation: Observation) -> Action:
        """Next action."""
        state, hand = privileged_of(observation), hand_of(observation.robot)
        name = state.roles["target"]
        pose = state.objects[name]
        if self._rest is None:
            self._rest = float(pose[2])
        point, turned = grasp_of(hand, state, name)
        near = distance(state, point) < IN_HAND
        self._feeling.feel(observation, state, near)
        lifted = float(pose[2]) - self._rest
        if near and (self._feeling.holds or (lifted > LIFTED / 2 and not self._feeling.wide)):
            self._grasped = self._grasped or rotation(state.tcp)
            self._held += int(lifted > LIFTED)
            missing = np.array([0.0, 0.0, LIFT - lifted])
            command = steer(hand, state, state.tcp[:3] + missing, self._grasped, hand.close_command)
            return Action(command, terminate=self._held >= HELD_STEPS)
        self._grasped = None
        return self._reach(hand, state, point, turned, raised(point, clearance(state, name)), near)

    def _reach(self, hand: Hand, state: Privileged, point: Array, turned: Rotation, above: Array, near: bool) -> Action:
        """Above the target, down, and close."""
        there = distance(state, point) < (NEARLY if self._feeling.stands else AT_GRASP)
        if near and (self._feeling.closing or (there and self._feeling.open)):
            return closing(hand, state, self._feeling)
        fingers = hand.hold_command if self._feeling.wide else hand.open_command
        aside, height = float(np.linalg.norm((state.tcp[:3] - point)[:2])), float(state.tcp[2] - point[2])
        straight = angle_to(state, turned) < STRAIGHT or height < LOW or self._feeling.stands
        down = self._feeling.open and straight and aside < ASIDE + CONE * max(0.0, height)
        return Action(steer(hand, state, point if down else above, turned, fingers))
