"""Take the source object and put it on the goal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.base import Action, Observation, Privileged
from policies.motion import Hand, angle_to, distance, grasp_rotation, hand_of, raised, rotation, steer
from policies.oracle.state import privileged_of

HOVER = 0.09
"""m above an object."""
RELEASE_STEPS = 3
TABLE_HEIGHT = 0.87
DROP_GAP = 0.012
"""m, of the source above where it will lie on the goal."""
BASKET_GAP = 0.03
"""m, of the source's origin above the goal's where the goal is the floor of a basket."""


@dataclass(frozen=True)
class Grasp:
    """Parameters of the descent to the source and of closing."""

    height: float
    """m, tool above the source's origin when the fingers close."""
    ease: float
    """Share of the remaining distance that one step of the descent commands. The arm follows late: steered by the whole
    distance it overshoots by up to 5 mm."""
    within: float
    """m, from the tool to where it grasps, when the fingers begin to close."""
    descent_steps: int
    """Most steps of the descent; after them the fingers close wherever they are."""
    closing_steps: int


class PutOn:
    """Hover over the source, grasp, carry over the goal, let go, retreat."""

    grasp = Grasp(height=0.01, ease=0.4, within=0.002, descent_steps=16, closing_steps=5)
    """Careful: WidowX fingertips that run into the table jam there, and close only once they are lifted past a flat thing."""

    def __init__(self) -> None:
        self._phase = "hover"
        self._steps = 0

    def act(self, observation: Observation) -> Action:
        """Next action."""
        state = privileged_of(observation)
        hand = hand_of(observation.robot)
        source = state.objects[state.roles["source"]]
        self._steps += 1
        if self._phase in ("hover", "descend", "close"):
            return self._take(hand, state, source)
        return self._bring(hand, state, source[:3], self.destination(state))

    def destination(self, state: Privileged) -> NDArray[np.float64]:
        """(3,) where the source's origin is to be let go, world."""
        goal = state.objects[state.roles["goal"]]
        if "fixture" in state.roles:  # the floor of the basket stands above everything around it
            return np.array([*goal[:2], goal[2] + BASKET_GAP])
        thickness = 2.0 * max(0.0, float(goal[2]) - TABLE_HEIGHT)
        return np.array([*goal[:2], self._source_height + thickness + DROP_GAP])

    def closing_direction(self, source: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Along which the fingers meet; its sign does not matter."""
        return np.asarray(rotation(source).as_matrix()[:, 1])

    def _take(self, hand: Hand, state: Privileged, source: NDArray[np.float64]) -> Action:
        turned = grasp_rotation(hand, state, source[:3], self.closing_direction(source))
        place = raised(source[:3], self.grasp.height)
        if self._phase == "hover":
            above = raised(place, HOVER)
            if distance(state, above) < 0.02 and angle_to(state, turned) < 0.06:
                self._go("descend")
            return Action(steer(hand, state, above, turned, hand.open_command))
        if self._phase == "descend":
            if distance(state, place) < self.grasp.within or self._steps > self.grasp.descent_steps:
                self._go("close")
            eased = state.tcp[:3] + self.grasp.ease * (place - state.tcp[:3])
            return Action(steer(hand, state, eased, turned, hand.open_command))
        if self._steps == 1:
            self._source_height = float(source[2])
        if self._steps >= self.grasp.closing_steps:
            self._go("lift")
        self._height = float(state.tcp[2])
        self._turned = rotation(state.tcp)
        return Action(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, hand.close_command]))

    def _bring(self, hand: Hand, state: Privileged, source: NDArray[np.float64], goal: NDArray[np.float64]) -> Action:
        tool = state.tcp[:3]
        carry = max(self._height, self._height + float(goal[2]) - self._source_height) + HOVER
        if self._phase == "lift":
            if tool[2] > carry - 0.02:
                self._go("carry")
            return Action(steer(hand, state, np.array([tool[0], tool[1], carry]), self._turned, hand.close_command))
        over = np.array([*(tool[:2] + goal[:2] - source[:2]), carry])
        if self._phase == "carry":
            if np.linalg.norm(source[:2] - goal[:2]) < 0.008 or self._steps > 25:
                self._go("lower")
            return Action(steer(hand, state, over, self._turned, hand.close_command))
        if self._phase == "lower":
            low = np.array([over[0], over[1], tool[2] + goal[2] - source[2]])
            if abs(tool[2] - low[2]) < 0.005 or self._steps > 10:
                self._go("release")
            return Action(steer(hand, state, low, self._turned, hand.close_command))
        if self._phase == "release":
            if self._steps >= RELEASE_STEPS:
                self._go("retreat")
            return Action(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, hand.open_command]))
        up = np.array([tool[0], tool[1], carry])
        return Action(steer(hand, state, up, self._turned, hand.open_command), terminate=self._steps >= 5)

    def _go(self, phase: str) -> None:
        self._phase, self._steps = phase, 0
