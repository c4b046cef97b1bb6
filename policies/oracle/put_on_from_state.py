"""Take the source object and put it on the goal, whoever brought the hand and the objects where they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from policies.base import Action, Observation, Privileged
from policies.motion import Hand, angle_to, distance, grasp_rotation, hand_of, raised, rotation, steer
from policies.oracle.feeling import Feeling, closing
from policies.oracle.put_on import HOVER, PutOn
from policies.oracle.state import privileged_of

Point = NDArray[np.float64]

ASIDE, CONE = 0.016, 0.15
"""m to the side of the grasp at which the hand may be at its height, and how much more a metre above it; else it rises."""
STRAIGHT, STRAIGHT_ABOVE = 0.2, 0.05
"""rad, that the hand may be turned away from the grasp, as long as it is this high [m] above it."""
BESIDE, LEVEL, NEARLY = 0.010, 0.006, 0.013
"""m from the grasp at which the fingers close: to the side and in height, and in all where the hand gets no further."""
IN_HAND = 0.022
"""m, from the grasp to the tool, to the side and in height each, while the fingers have the source between them."""
OVER, OVER_CONE = 0.010, 0.08
"""m, as ASIDE and CONE, from the source to the goal."""
CARRY = 0.05
"""m above where it is to be let go, at which the source is carried. At 9 cm, eggplant and hand leave the picture, and whoever
learns from images no longer sees how far the basket is."""
LIFTED = 0.008
"""m above where it lay: the source is in the hand."""
LOW, LOW_STUCK = 0.006, 0.03
"""m above where it is to be let go: the fingers open at once, and where the hand gets no further."""
BELOW = 0.03
"""m below the height of the way to the goal, up to which the hand may move aside."""
ON_GOAL, IN_BASKET = 0.02, 0.06
"""m to the side of the goal: the source has arrived."""
WITHDRAWN = 0.06
"""m of the tool above the source that it let go."""


class PutOnFromState(PutOn):
    """Every action follows from where things are and how they moved in the last steps.

    It remembers how high the source lay at first and how the hand was turned when it grasped, and no phase: what it says may be
    learned from images, and it may be asked about states that another hand brought about. The path is that of :class:`PutOn`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._feeling = Feeling()
        self._rest: float | None = None
        self._grasped: Rotation | None = None

    def act(self, observation: Observation) -> Action:
        """Next action."""
        state, hand = privileged_of(observation), hand_of(observation.robot)
        source = state.objects[state.roles["source"]]
        if self._rest is None:
            self._rest = self._source_height = float(source[2])
        place = raised(source[:3], self.grasp.height)
        near = bool(np.linalg.norm((state.tcp[:3] - place)[:2]) < IN_HAND and abs(state.tcp[2] - place[2]) < IN_HAND)
        self._feeling.feel(observation, state, near)
        goal = self.destination(state)
        if self._arrived(state, source[:3], goal):
            return self._leave(hand, state, source[:3])
        if near and (self._feeling.holds or source[2] > self._rest + LIFTED):
            self._grasped = self._grasped or rotation(state.tcp)
            return self._carry(hand, state, source[:3], goal, self._grasped)
        self._grasped = None
        return self._reach(hand, state, place, source, near)

    def _reach(self, hand: Hand, state: Privileged, place: Point, source: Point, near: bool) -> Action:
        """Above the source, down, and close."""
        turned = grasp_rotation(hand, state, source[:3], self.closing_direction(source))
        aside = float(np.linalg.norm((state.tcp[:3] - place)[:2]))
        height = float(state.tcp[2] - place[2])
        stuck = self._feeling.stands and distance(state, place) < NEARLY
        there = stuck or (aside < BESIDE and abs(height) < LEVEL)
        if near and (self._feeling.closing or (there and self._feeling.open)):
            return closing(hand, state, self._feeling)
        straight = angle_to(state, turned) < STRAIGHT or height < STRAIGHT_ABOVE
        if self._feeling.open and straight and aside < ASIDE + CONE * max(0.0, height):
            eased = state.tcp[:3] + self.grasp.ease * (place - state.tcp[:3])
            return Action(steer(hand, state, eased, turned, hand.open_command))
        return Action(steer(hand, state, raised(place, HOVER), turned, hand.open_command))

    def _carry(self, hand: Hand, state: Privileged, source: Point, goal: Point, turned: Rotation) -> Action:
        """Up, over the goal, and down."""
        tool, height = state.tcp[:3], float(source[2] - goal[2])
        aside = float(np.linalg.norm((source - goal)[:2]))
        over = tool + (goal - source)
        if aside < OVER + OVER_CONE * max(0.0, height):
            if self._feeling.stands and height < LOW_STUCK:
                return Action(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, hand.open_command]))
            return Action(steer(hand, state, over, turned, hand.close_command))
        taken = self._source_height + float(tool[2] - source[2])
        high = max(taken, taken + float(goal[2]) - self._source_height) + CARRY
        to = np.array([*(over[:2] if tool[2] > high - BELOW else tool[:2]), high])
        return Action(steer(hand, state, to, turned, hand.close_command))

    def _arrived(self, state: Privileged, source: Point, goal: Point) -> bool:
        near = IN_BASKET if "fixture" in state.roles else ON_GOAL
        return bool(np.linalg.norm((source - goal)[:2]) < near and source[2] < goal[2] + LOW)

    def _leave(self, hand: Hand, state: Privileged, source: Point) -> Action:
        """Let go, then up; there the hand stays."""
        up = float(state.tcp[2] - source[2])
        if not self._feeling.wide or up > WITHDRAWN + self.grasp.height:
            still = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, hand.open_command])
            return Action(still, terminate=self._feeling.wide)
        above = raised(state.tcp[:3], HOVER)
        return Action(steer(hand, state, above, rotation(state.tcp), hand.open_command))
