"""Numbers among a policy's options: from the command line they are text, from Python anything."""

from __future__ import annotations

import math

from eval.errors import UserError

LARGEST = 2**63 - 1
"""Of a whole number: JSON has no limit, but its readers do."""


def number(name: str, value: object, low: float, high: float, takes: str) -> float:
    """A number from ``low`` to ``high``. Raises UserError, which says what the policy ``takes``, for anything else."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not low <= found <= high:
        raise UserError(f"{name} is {_shown(value)}; {takes}.")
    return found


def whole(name: str, value: object, low: int, high: int, takes: str) -> int:
    """A whole number from ``low`` to ``high``; ``2.0`` is one, ``"2.0"`` is none. Raises UserError as :func:`number` does."""
    try:
        found = None if isinstance(value, bool) else int(value)  # type: ignore[call-overload]
        if found is not None and not isinstance(value, str) and found != value:
            found = None
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None or not low <= found <= high:
        most = f", at most {high}" if found is not None and found > high == LARGEST else ""  # too large to stand in ``takes``
        raise UserError(f"{name} is {_shown(value)}; {takes}{most}.")
    return int(found)


def plain(value: float) -> str:
    """As short as the user may have written it, but never another number: 3 for 3.0, 1234567 for 1234567."""
    if isinstance(value, int):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _shown(value: object) -> str:
    text = str(value)
    return text if text.strip() else f'"{text}"'
