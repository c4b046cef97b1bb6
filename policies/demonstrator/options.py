"""Options of the demonstrator: from the command line they are text, from Python anything."""

from __future__ import annotations

from policies.numbers import number

STRONGEST = 10.0
"""Most that ``disturb`` may be, in steps of the hand: at 1, noise is as large as the command."""


def share_of(beta: object) -> float:
    """``beta`` as a number. Raises UserError."""
    return number("beta", beta, 0, 1, "give the chance, 0 to 1, that the expert plays a step, such as 0.3")


def levels_of(disturb: object) -> tuple[float, ...]:
    """``"0,0.1"`` -> ``(0.0, 0.1)``. Raises UserError for what is no such list."""
    parts = disturb.split(",") if isinstance(disturb, str) else [disturb]
    takes = f"give the strength of the noise, 0 to {STRONGEST:g} steps of the hand, or several such as 0,0.08,0.15"
    return tuple(number("disturb", part, 0, STRONGEST, takes) for part in parts)
