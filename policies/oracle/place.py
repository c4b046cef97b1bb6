"""Open the drawer, then take the target from the cabinet and drop it in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from policies.base import Action, Observation, Privileged
from policies.motion import BRISK, GOOGLE, Array, angle_to, distance, raised, rotation, steer
from policies.oracle.drawer import HOOK, PANEL, STUCK, Drawer
from policies.oracle.grasping import grasp_of
from policies.oracle.state import drawer_of, privileged_of

CLEAR = -0.01
"""m along x, from the panel's edge to where the hand rises to the target's height, clear of the cabinet."""
FREE = 0.05
"""m above the panel's edge from which on the hand may turn."""
HOVER, LIFT = 0.10, 0.12
"""m above the target."""
INTO = np.array([-0.09, 0.0, 0.13])
"""m, from the panel's edge to where the target is let go: over the open part, and above what is in front of it."""
CLOSING_STEPS = 5
TURNED_HOOK = HOOK * Rotation.from_rotvec([0.0, 0.0, np.pi])
"""Tool rotation, world: the hook with its fingers swapped. It is as far from the stops of wrist and gripper joint as
the grasp that follows, so that the hand need not turn round in between."""
TURNED_PRESS = 0.01
"""m, see ``drawer.PRESS``; the hand is not symmetric, and turned it rubs on the panel when it is pressed down harder."""
ALMOST_CLOSED = 0.75
"""Gripper command, sent once to the open hand: fingers that squeeze each other while they pull get jammed for good."""
HOOKED = np.array([0.0, 0.0, 0.0, *TURNED_HOOK.as_quat()[[3, 0, 1, 2]]])
"""A pose with that rotation."""
SPIN = replace(BRISK, turn=0.5)
OPENED = 0.2
"""m, opening that leaves room to drop the target."""


class Place:
    """Pull, leave, take, drop. Says "done" once when the drawer is open, and again at the end."""

    def __init__(self) -> None:
        self._drawer = Drawer(OPENED, TURNED_HOOK, TURNED_PRESS)
        self._phase = "open"
        self._steps = 0
        self._angle = np.inf

    def act(self, observation: Observation) -> Action:
        """Next action."""
        state = privileged_of(observation)
        self._steps += 1
        edge = drawer_of(state).frame[:3] + PANEL
        if self._phase == "open":
            action = self._drawer.act(observation)
            action.command[6] = ALMOST_CLOSED if self._steps == 1 else GOOGLE.hold_command
            if action.terminate:
                self._go("rise")  # late, the second subtask has begun by itself, and "done" would end the episode
                return replace(action, terminate=observation.instruction.startswith("open"))
            return action
        return self._carry(state, edge)

    def _carry(self, state: Privileged, edge: Array) -> Action:
        name = state.roles["target"]
        pose = state.objects[name]
        seen_so = replace(state, tcp=HOOKED)  # of the two ways round, the one near to the hook
        point, grasp_turn = grasp_of(GOOGLE, seen_so, name)
        if self._phase == "rise":
            clear = np.array([edge[0] + CLEAR, edge[1], pose[2] + HOVER])
            if distance(state, clear) < 0.08:
                self._go("hover")
            turned = grasp_turn if state.tcp[2] > edge[2] + FREE else TURNED_HOOK
            return Action(steer(SPIN, state, clear, turned, GOOGLE.open_command))
        if self._phase == "hover":
            above = raised(point, HOVER)
            last, self._angle = self._angle, angle_to(state, grasp_turn)
            stuck = self._steps > 3 and last - self._angle < STUCK
            if distance(state, above) < 0.025 and (self._angle < 0.1 or stuck):
                self._go("descend")
            gripper = GOOGLE.open_command if self._steps == 1 else GOOGLE.hold_command
            return Action(steer(SPIN, state, above, grasp_turn, gripper))
        if self._phase == "descend":
            if distance(state, point) < 0.008 or self._steps > 12:
                self._go("close")
            return Action(steer(GOOGLE, state, point, grasp_turn, GOOGLE.hold_command))
        if self._phase == "close":
            self._turned, self._top = rotation(state.tcp), state.tcp[:3] + np.array([0.0, 0.0, LIFT])
            if self._steps >= CLOSING_STEPS:
                self._go("lift")
            return Action(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, GOOGLE.close_command]))
        if self._phase == "lift":
            if distance(state, self._top) < 0.03:
                self._go("over" if pose[2] > self._top[2] - LIFT else "hover")
            return Action(steer(BRISK, state, self._top, self._turned, GOOGLE.close_command))
        over = edge + INTO + (state.tcp[:3] - pose[:3]) * np.array([1.0, 1.0, 0.0])
        if self._phase == "over":
            high = np.array([over[0], over[1], self._top[2]])
            if np.linalg.norm(state.tcp[:2] - high[:2]) < 0.015:
                self._go("lower")
            return Action(steer(BRISK, state, high, self._turned, GOOGLE.close_command))
        if self._phase == "lower":
            if distance(state, over) < 0.02 or self._steps > 30:
                self._go("drop")
            return Action(steer(BRISK, state, over, self._turned, GOOGLE.close_command))
        action = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, GOOGLE.open_command])
        return Action(action, terminate=self._steps >= 6)

    def _go(self, phase: str) -> None:
        self._phase, self._steps = phase, 0
