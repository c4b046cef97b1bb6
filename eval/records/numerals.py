"""Differences and p values as people read them, the same in every text and table."""

from __future__ import annotations

from eval.statistics.intervals import Interval


def points(difference: float) -> str:
    """A difference of rates as percentage points: ``+2.3``; ``0.0`` has no sign."""
    text = f"{100 * difference:+.1f}"
    return text[1:] if float(text) == 0 else text


def span(interval: Interval) -> str:
    """``-1.1 to +5.8``."""
    return f"{points(interval.low)} to {points(interval.high)}"


def p_value(p: float) -> str:
    """With as many digits as are of use."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.3f}"


def p_equals(p: float) -> str:
    """For a sentence: ``p = 0.0213``, ``p < 0.0001``."""
    return f"p {p_value(p)}" if p < 0.0001 else f"p = {p_value(p)}"
