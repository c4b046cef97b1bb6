"""Take the source object and set it down beside the target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policies.base import Privileged
from policies.motion import rotation
from policies.oracle.put_on import Grasp, PutOn

APART = 0.14
"""m between source and target: clear of both, and well within the rule."""
LET_GO = 0.004
"""m, of the source above where it stood."""


class MoveNear(PutOn):
    """As putting on, but the source comes down short of the target, on the side it came from."""

    grasp = Grasp(height=0.003, ease=1.0, within=0.005, descent_steps=12, closing_steps=4)
    """Brisk: with the careful grasp a Google hand lost 13 of 30 (height and pace were not varied separately)."""

    def destination(self, state: Privileged) -> NDArray[np.float64]:
        """(3,) where the source's origin is to be let go, world."""
        source, target = (state.objects[state.roles[role]][:2] for role in ("source", "goal"))
        if not hasattr(self, "_side"):
            self._side = (source - target) / np.linalg.norm(source - target)
        return np.array([*(target + APART * self._side), self._source_height + LET_GO])

    def closing_direction(self, source: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Across a lying thing, whose long axis is the model's y; sideways to the arm where it stands."""
        axis = rotation(source).as_matrix()[:, 1]
        return None if abs(axis[2]) > 0.7 else np.array([-axis[1], axis[0], 0.0])
