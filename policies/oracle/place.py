"""Open the drawer, then take the target from the cabinet and drop it in."""

from __future__ import annotations

from typing import Any

import numpy as np

from policies.base import Action, Observation
from policies.oracle.drawer import HOOK, PANEL, Drawer
from policies.oracle.motion import GOOGLE, distance, grasp_rotation, raised, rotation, steer

CLEAR = np.array([-0.01, 0.0, 0.22])
"""m, from the panel's edge to where the hand goes before it turns to the target."""
HOVER, LIFT = 0.10, 0.12
"""m above the target."""
INTO = np.array([-0.09, 0.0, 0.13])
"""m, from the panel's edge to where the target is let go: over the open part, and above what is in front of it."""
CLOSING_STEPS = 4
OPENED = 0.2
"""m, opening that leaves room to drop the target."""


class Place:
    """Pull, leave, take, drop. Says "done" once when the drawer is open, and again at the end."""

    def __init__(self) -> None:
        self._drawer = Drawer(OPENED)
        self._phase = "open"
        self._steps = 0

    def act(self, observation: Observation) -> Action:
        """Next action."""
        state: Any = observation.privileged
        self._steps += 1
        edge = state["drawer"]["frame"][:3] + PANEL
        if self._phase == "open":
            action = self._drawer.act(observation)
            if action.terminate:
                self._go("rise")
            return action
        if self._phase == "rise":
            point = edge + CLEAR
            if distance(state, point) < 0.05:
                self._go("hover")
            return Action(steer(GOOGLE, state, point, HOOK, GOOGLE.open_command))
        return self._carry(state, edge)

    def _carry(self, state: Any, edge: Any) -> Action:
        pose = state["objects"][state["roles"]["target"]]
        axis = rotation(pose).as_matrix()[:, 1]
        across = None if abs(axis[2]) > 0.7 else np.array([-axis[1], axis[0], 0.0])
        wanted = grasp_rotation(GOOGLE, state, pose[:3], across)
        if self._phase == "hover":
            above = raised(pose[:3], HOVER)
            if distance(state, above) < 0.02:
                self._go("descend")
            gripper = GOOGLE.open_command if self._steps == 1 else GOOGLE.hold_command
            return Action(steer(GOOGLE, state, above, wanted, gripper))
        if self._phase == "descend":
            if distance(state, pose[:3]) < 0.008 or self._steps > 12:
                self._go("close")
            return Action(steer(GOOGLE, state, pose[:3], wanted, GOOGLE.hold_command))
        if self._phase == "close":
            self._turned, self._top = rotation(state["tcp"]), state["tcp"][:3] + np.array([0.0, 0.0, LIFT])
            if self._steps >= CLOSING_STEPS:
                self._go("lift")
            return Action(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, GOOGLE.close_command]))
        if self._phase == "lift":
            if distance(state, self._top) < 0.03:
                self._go("over" if pose[2] > self._top[2] - LIFT else "hover")
            return Action(steer(GOOGLE, state, self._top, self._turned, GOOGLE.close_command))
        over = edge + INTO + (state["tcp"][:3] - pose[:3]) * np.array([1.0, 1.0, 0.0])
        if self._phase == "over":
            high = np.array([over[0], over[1], self._top[2]])
            if np.linalg.norm(state["tcp"][:2] - high[:2]) < 0.015:
                self._go("lower")
            return Action(steer(GOOGLE, state, high, self._turned, GOOGLE.close_command))
        if self._phase == "lower":
            if distance(state, over) < 0.02 or self._steps > 12:
                self._go("drop")
            return Action(steer(GOOGLE, state, over, self._turned, GOOGLE.close_command))
        action = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, GOOGLE.open_command])
        return Action(action, terminate=self._steps >= 6)

    def _go(self, phase: str) -> None:
        self._phase, self._steps = phase, 0
