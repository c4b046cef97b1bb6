"""Take the source object and put it on the goal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.base import Action, Observation
from policies.oracle.motion import Hand, angle_to, distance, grasp_rotation, hand_of, raised, rotation, steer

HOVER = 0.09
"""m above an object."""
GRASP_HEIGHT = 0.003
"""m, tool above the source's origin when the fingers close."""
CLOSING_STEPS = 4
RELEASE_STEPS = 3
DROP_GAP = 0.012
"""m, tool above where it would stand if the source lay on the goal."""


class PutOn:
    """Hover over the source, grasp, carry over the goal, let go, retreat."""

    def __init__(self) -> None:
        self._phase = "hover"
        self._steps = 0

    def act(self, observation: Observation) -> Action:
        """Next action."""
        state: Any = observation.privileged
        hand = hand_of(observation.robot)
        source, goal = (state["objects"][state["roles"][role]] for role in ("source", "goal"))
        self._steps += 1
        if self._phase in ("hover", "descend", "close"):
            return self._take(hand, state, source)
        return self._bring(hand, state, source, goal)

    def _take(self, hand: Hand, state: Any, source: NDArray[np.float64]) -> Action:
        wanted = grasp_rotation(hand, state, source[:3], rotation(source).as_matrix()[:, 1])
        grasp = raised(source[:3], GRASP_HEIGHT)
        if self._phase == "hover":
            above = raised(grasp, HOVER)
            if distance(state, above) < 0.02 and angle_to(state, wanted) < 0.06:
                self._go("descend")
            return Action(steer(hand, state, above, wanted, hand.open_command))
        if self._phase == "descend":
            if distance(state, grasp) < 0.005 or self._steps > 12:
                self._go("close")
            return Action(steer(hand, state, grasp, wanted, hand.open_command))
        if self._steps >= CLOSING_STEPS:
            self._go("lift")
        self._height = float(state["tcp"][2])
        self._turned = rotation(state["tcp"])
        return Action(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, hand.close_command]))

    def _bring(self, hand: Hand, state: Any, source: NDArray[np.float64], goal: NDArray[np.float64]) -> Action:
        tool = state["tcp"][:3]
        carry = self._height + HOVER
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
            low = np.array([over[0], over[1], self._height + DROP_GAP])
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
