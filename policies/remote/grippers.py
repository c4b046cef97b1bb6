"""From the last number of a server's action to what a robot's gripper takes."""

from __future__ import annotations

from dataclasses import dataclass

from policies.base import RobotName
from policies.remote.conventions import GripperRule

BIG = 0.5
"""A change beyond it is held."""


@dataclass
class RemoteGripper:
    """The gripper of one episode.

    WidowX (absolute, +1 open): ``threshold`` by the opening; ``binary`` by the raw number; ``command`` as it is. Google Robot
    (a change, +1 closes): ``change`` of the opening since the last step; ``change_since_switch`` since a change that was held
    (CogACT); ``position``, 1 for closed and -1 for open at every step (GR00T, vla-eval's "sticky"); of these three, big ones
    are held. ``binary`` and ``command`` as for the WidowX.
    """

    rule: GripperRule
    robot: RobotName
    previous: float | None = None
    held: float | None = None
    repeats: int = 0

    def command(self, value: float) -> float:
        """Controller command for what a server says."""
        mode = self.rule.widowx if self.robot == "widowx" else self.rule.google_robot
        if mode == "command":
            return value
        if mode == "binary":
            return 1.0 if value > 0.5 else -1.0
        opening = self._opening(value)
        if mode == "threshold":
            return 1.0 if opening > 0.5 else -1.0
        before = opening if self.previous is None else self.previous
        change = 1.0 - 2.0 * opening if mode == "position" else before - opening
        if mode == "change" or self.previous is None:
            self.previous = opening
        if self.held is None and abs(change) > BIG:
            self.held, self.previous = change, opening
        if self.held is None:
            return change
        command = self.held
        self.repeats += 1
        if self.repeats == self.rule.held_steps:
            self.held, self.repeats = None, 0
        return command

    def _opening(self, value: float) -> float:
        if self.rule.value == "sign_open":
            return (1.0 + value) / 2
        if self.rule.value == "sign_closed":
            return (1.0 - value) / 2
        return value
