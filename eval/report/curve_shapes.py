"""Curves of success by step as lines of a drawing."""

from __future__ import annotations

from dataclasses import dataclass

from eval.report.progress import Curve

WIDTH, HEIGHT = 320, 160
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 40
"""Pixels around the field of the curve."""


@dataclass(frozen=True)
class Drawn:
    """A curve in pixels of ``WIDTH`` by ``HEIGHT``."""

    path: str
    area: str
    last: float
    """Height of the line of the protocol's success, pixels from the top."""
    end: float
    """Height of the end of the curve."""
    across: tuple[tuple[float, str], ...]
    """Lines of the axis of shares: height, text."""
    steps: tuple[tuple[float, str], ...]
    """Ticks of the axis of steps: place, text."""


def drawn(curve: Curve) -> Drawn:
    """A staircase from the first step to the limit."""
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(step: float) -> float:
        return round(LEFT + wide * step / max(1, curve.steps), 1)

    def y(share: float) -> float:
        return round(TOP + high * (1 - share), 1)

    parts = [f"M{x(0)},{y(0)}"]
    for step, share in curve.points[1:]:
        parts.append(f"H{x(step)}V{y(share)}")
    path = "".join([*parts, f"H{x(curve.steps)}"])
    ticks = [0, curve.steps // 2, curve.steps]
    return Drawn(
        path, f"{path}V{y(0)}Z", y(curve.last), y(curve.points[-1][1]),
        tuple((y(share), f"{100 * share:.0f} %") for share in (0.0, 0.5, 1.0)),
        tuple((x(step), str(step)) for step in dict.fromkeys(ticks)),
    )  # fmt: skip
