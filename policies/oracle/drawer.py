"""Open a drawer by hooking its front panel, or push it shut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from policies.base import Action, Observation, Privileged
from policies.motion import BRISK, GOOGLE, Hand, angle_to, distance, steer
from policies.oracle.state import drawer_of, privileged_of

Point = NDArray[np.float64]

PANEL = np.array([0.305, 0.0, 0.07])
"""m, from a drawer's frame to the middle of the upper edge of its front panel; handles have no collision."""
HOOK = Rotation.from_quat([-0.93, 0.0, 0.366, 0.0])
"""Tool rotation, world: fingers forward and down, so that they reach behind the panel."""
PUSH = Rotation.from_quat([-0.955, 0.0, 0.297, 0.0])
BEFORE, ABOVE, BEHIND = np.array([0.135, 0.0, 0.10]), np.array([-0.024, 0.0, 0.035]), np.array([-0.03, 0.0, -0.035])
"""m, from the panel's edge to where the tool waits, crosses the edge, and hooks in."""
PULL, PRESS = 0.05, 0.03
"""m, how far the tool is sent each step: away from the cabinet, and below the edge, so that the hook does not slip off."""
SLIPPED = 0.03
"""m, of the tool before the panel's edge: the hook has slipped off, and hooks in again."""
PUSH_FROM = np.array([0.09, 0.0, -0.07])
FAR_ENOUGH, SHUT = 0.175, 0.015
"""m, opening at which pulling or pushing ends."""
ASIDE = 0.5
"""Share of the robot's own offset to the side at which it works: the arm is bent least there."""
STUCK = 0.01
"""rad, turn in one step below which the wrist counts as stuck: the turn then comes with the way to the next point."""
ATTEMPT = 45
"""Steps of pulling or pushing after which it begins again."""


class Drawer:
    """Opens or closes by what the instruction says; the closed hand is the hook."""

    def __init__(self, far_enough: float = FAR_ENOUGH, hook: Rotation = HOOK, press: float = PRESS) -> None:
        """far_enough: m, opening at which pulling ends; hook: tool rotation, world; press: m, instead of PRESS."""
        self._phase = "before"
        self._steps = 0
        self._angle = np.inf
        self._far_enough, self._hook, self._press = far_enough, hook, press

    def act(self, observation: Observation) -> Action:
        """Next action."""
        state = privileged_of(observation)
        self._steps += 1
        if observation.instruction.startswith("close"):
            return self._close(state)
        return self._open(state)

    def done(self, state: Privileged) -> bool:
        """Whether the drawer is far enough open."""
        return drawer_of(state).opening >= self._far_enough

    def _open(self, state: Privileged) -> Action:
        edge = _edge(state)
        if self._phase == "before":
            return self._towards(state, edge + BEFORE, self._hook, "above", 0.05, 0.25, BRISK)
        if self._phase == "above":
            return self._towards(state, edge + ABOVE, self._hook, "behind", 0.012, 0.3, patience=20)
        if self._phase == "behind":
            return self._towards(state, edge + BEHIND, self._hook, "pull", 0.008, 0.3, patience=7)
        if self.done(state):
            return Action(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), terminate=True)
        if self._steps > ATTEMPT or state.tcp[0] > edge[0] + SLIPPED:
            self._go("before")
        pull = np.array([state.tcp[0] + PULL, edge[1], edge[2] - self._press])
        return Action(steer(GOOGLE, state, pull, self._hook, GOOGLE.close_command))

    def _close(self, state: Privileged) -> Action:
        edge = _edge(state)
        if self._phase == "before":
            return self._towards(state, edge + PUSH_FROM, PUSH, "push", 0.03, 0.2, BRISK)
        if drawer_of(state).opening <= SHUT:
            return Action(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), terminate=True)
        if self._steps > ATTEMPT:
            self._go("before")
        push = np.array([state.tcp[0] - GOOGLE.step, edge[1], edge[2] + PUSH_FROM[2]])
        return Action(steer(GOOGLE, state, push, PUSH, GOOGLE.close_command))

    def _towards(
        self,
        state: Privileged,
        point: Point,
        turned: Rotation,
        then: str,
        near: float,
        angle: float,
        hand: Hand = GOOGLE,
        patience: int = 60,
    ) -> Action:
        """A step to a point; ``then`` is the next phase once it is ``near`` [m] and within ``angle`` [rad]."""
        last, self._angle = self._angle, angle_to(state, turned)
        stuck = self._steps > 3 and last - self._angle < STUCK
        there = distance(state, point) < near and (self._angle < angle or stuck)
        if there or self._steps > patience:
            self._go(then)
        return Action(steer(hand, state, point, turned, hand.close_command))

    def _go(self, phase: str) -> None:
        self._phase, self._steps = phase, 0


def _edge(state: Privileged) -> Point:
    """(3,) the point of the panel's upper edge to work at, world."""
    return np.asarray(drawer_of(state).frame[:3] + PANEL + np.array([0.0, ASIDE * state.base[1], 0.0]))
