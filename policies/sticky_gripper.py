"""From how far a hand shall be open to the number that a robot's gripper takes, as the original's policies do it."""

from __future__ import annotations

from dataclasses import dataclass

from policies.base import RobotName

STICKY_STEPS = 15
"""So long a Google Robot's gripper goes on with a change once begun."""


@dataclass
class Gripper:
    """The gripper of one episode; what it remembers matters for the Google Robot alone."""

    robot: RobotName
    previous: float | None = None
    sticky: bool = False
    held: float = 0.0
    """Command that is repeated while sticky."""
    repeats: int = 0

    def command(self, opening: float) -> float:
        """Controller command for the desired ``opening`` (0 closed .. 1 open).

        WidowX: absolute, by threshold. Google Robot: a change; one that is big enough is repeated for 15 steps, and what
        the policy asks for meanwhile is ignored.
        """
        if self.robot == "widowx":
            return 1.0 if opening > 0.5 else -1.0
        change = 0.0 if self.previous is None else self.previous - opening
        self.previous = opening
        if abs(change) > 0.5 and not self.sticky:
            self.sticky, self.held = True, change
        if not self.sticky:
            return change
        self.repeats += 1
        command = self.held
        if self.repeats == STICKY_STEPS:
            self.sticky, self.held, self.repeats = False, 0.0, 0
        return command
