"""Pick the target up from above and hold it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policies.base import Action, Observation
from policies.motion import Standstill, angle_to, distance, hand_of, raised, rotation, steer
from policies.oracle.grasping import clearance, grasp_of
from policies.oracle.state import privileged_of

LIFT = 0.16
"""m above where the object was taken."""
CLOSING_STEPS = 5
HELD_STEPS = 7
"""Control steps off the table after which the pick counts as done (the task needs five)."""
LOST_STEPS = 9


class Pick:
    """Hover, descend, close, lift; begins again if the object stays behind."""

    def __init__(self) -> None:
        self._phase = "hover"
        self._steps = 0
        self._held = 0
        self._rest_height: float | None = None
        self._standstill = Standstill()

    def act(self, observation: Observation) -> Action:
        """Next action."""
        state = privileged_of(observation)
        hand = hand_of(observation.robot)
        name = state.roles["target"]
        pose = state.objects[name]
        if self._rest_height is None:
            self._rest_height = float(pose[2])
        point, turned = grasp_of(hand, state, name)
        self._held += int(pose[2] - self._rest_height > 0.03)
        above = raised(point, clearance(state, name))
        self._steps += 1
        if self._phase == "hover":
            there = distance(state, above) < 0.02 and angle_to(state, turned) < 0.06
            if there or self._standstill.seen(state):
                self._go("descend", pose)
            return Action(steer(hand, state, above, turned, hand.open_command if self._steps == 1 else hand.hold_command))
        if self._phase == "descend":
            if distance(state, point) < 0.006 or self._steps > 12:
                self._go("close", pose)
            return Action(steer(hand, state, point, turned, hand.hold_command))
        if self._phase == "close":
            if self._steps >= CLOSING_STEPS:
                self._go("lift", pose)
            return Action(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, hand.close_command]))
        if self._steps > LOST_STEPS and pose[2] - self._rest_height < 0.02:
            self._go("hover", pose)
            return Action(steer(hand, state, above, turned, hand.open_command))
        goal = raised(self._grasp_point, LIFT)
        return Action(steer(hand, state, goal, rotation(state.tcp), hand.close_command), terminate=self._held >= HELD_STEPS)

    def _go(self, phase: str, pose: NDArray[np.float64]) -> None:
        self._phase, self._steps = phase, 0
        self._standstill = Standstill()
        self._grasp_point = pose[:3].copy()
