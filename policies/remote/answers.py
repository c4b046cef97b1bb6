"""What a server says the actions are, as rows of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.wire.errors import WireError
from eval.wire.packing import numbers_of

NUMBERS = 7
"""Of an action."""
LONGEST = 1000
"""Actions of an answer."""


def read_actions(value: object) -> NDArray[np.float64]:
    """(n, 7) of one action, several, or a batch of one. Raises WireError for another shape and for what is not finite."""
    if value is None:
        raise WireError("it holds no actions")
    actions = numbers_of(value, "the action")
    if actions.ndim == 3 and actions.shape[0] == 1:
        actions = actions[0]
    rows = actions[None] if actions.ndim == 1 else actions
    if rows.ndim != 2 or not 1 <= len(rows) <= LONGEST or rows.shape[1] != NUMBERS:
        raise WireError(f"actions of shape {actions.shape}; ({NUMBERS},) or (n, {NUMBERS}) is wanted")
    return rows


def found(answer: object, path: Sequence[str]) -> object:
    """What lies at the end of a path of keys, or None."""
    for key in path:
        answer = answer.get(key) if isinstance(answer, Mapping) else None
    return answer
