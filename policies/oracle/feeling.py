"""What a hand feels: how far it is open, whether that changes, and whether it moves."""

from __future__ import annotations

import numpy as np

from policies.base import Action, Observation, Privileged
from policies.motion import Hand, Placed, raised, rotation, steer

OPEN, WIDE = 0.8, 0.95
"""Share of the widest opening so far from which on the hand may go down to a thing, and has let go of one."""
FIRM = 0.02
"""Change of the opening in a step below which the fingers are at rest."""
FIRM_STEPS = 2
"""Steps at rest around a thing after which it is held."""
STILL = 0.0015
"""m in a step below which the tool stands."""
RISE = 0.003
"""m a step that a hand rises while its fingers close. If it stood still until it holds a thing, nothing in an image would tell
how long it has stood, and whoever learns from images would stand there for ever."""


def closing(hand: Hand, state: Placed, feeling: Feeling) -> Action:
    """What a hand around a thing does until it holds it: the fingers close; once they are on their way, it rises a little."""
    to = raised(state.tcp[:3], 0.0 if feeling.open else RISE)
    return Action(steer(hand, state, to, rotation(state.tcp), hand.close_command))


class Feeling:
    """Of the last steps; a phase it is not: the same movements feel the same whatever was meant by them."""

    def __init__(self) -> None:
        self._opening: float | None = None
        self._widest = 0.0
        self._position: np.ndarray | None = None
        self._firm = 0
        self.open = self.wide = self.closing = self.holds = self.stands = False

    def feel(self, observation: Observation, state: Privileged, around: bool) -> None:
        """Take in a step; ``around``: whether a thing is between the fingers."""
        opening = observation.proprio.gripper_opening
        self._widest = max(self._widest, opening)
        share = opening / self._widest if self._widest else 0.0
        rests = self._opening is not None and abs(opening - self._opening) < FIRM
        self.open, self.wide = share > OPEN, share > WIDE
        """Enough to go down to a thing; as wide as it goes."""
        self._firm = self._firm + 1 if around and not self.open and rests else 0
        self.holds = self._firm >= FIRM_STEPS
        """Whether the fingers rest on a thing between them."""
        self.closing = around and not self.open and not self.holds
        self.stands = self._position is not None and bool(np.linalg.norm(state.tcp[:3] - self._position) < STILL)
        """Whether the tool did not move."""
        self._opening, self._position = opening, np.array(state.tcp[:3])
