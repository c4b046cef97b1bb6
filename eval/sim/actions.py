"""An action as numbers, however it was given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ACTION_LENGTH = 7


def real_numbers(action: object) -> NDArray[np.float64]:
    """An action as an array, of whatever shape.

    Raises:
        ValueError: numbers of it are masked, whose place holds anything; they are complex, of which a half would be lost; or
            they are none.
    """
    if np.ma.is_masked(action) or np.iscomplexobj(np.asarray(action)):
        raise ValueError(f"an action is {ACTION_LENGTH} finite numbers, got {action!r:.200}")
    return np.asarray(action, dtype=np.float64)
