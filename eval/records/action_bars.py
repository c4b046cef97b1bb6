"""The seven numbers of an action as bars, up for positive and down for negative; a full bar is a stated range."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from eval.records.lettering import Color, line_height, text_width, write

NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "grip")
GROUPS = ((0, 3), (3, 6), (6, 7))
"""Translation, rotation and gripper: each with a range of its own."""
UNITS = ("m", "rad", "")
STEPS = (1, 2, 5, 10)
"""A range is one of these times a power of ten."""
QUIET: Color = (150, 153, 160)
TRACK: Color = (48, 50, 56)
LINE: Color = (110, 113, 120)
UP: Color = (96, 178, 255)
DOWN: Color = (255, 166, 77)


def full_scales(actions: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """Of translation, rotation and gripper the number that a full bar stands for: round, and at least all that occur."""
    largest = [0.0] * len(GROUPS)
    for action in actions:
        for number, (begin, end) in enumerate(GROUPS):
            finite = [abs(value) for value in action[begin:end] if math.isfinite(value)]
            largest[number] = max(largest[number], *finite, 0.0)
    return tuple(_round_up(value) for value in largest)


def _round_up(value: float) -> float:
    if value < 1e-6:
        return 1.0
    power = math.floor(math.log10(value))
    step = next(step for step in STEPS if value <= step * 10.0**power * (1 + 1e-9))
    return float(f"{step * 10.0**power:.0e}")


@dataclass(frozen=True)
class ActionBars:
    """Seven bars in a rectangle of a frame.

    Args:
        left, top, width, height: of the rectangle, pixels.
        size: of the letters, pixels.
        scales: as of :func:`full_scales`.
        units: whether the numbers are metres and radians.
    """

    left: int
    top: int
    width: int
    height: int
    size: int
    scales: tuple[float, ...]
    units: bool = True

    def _column(self, number: int) -> tuple[int, int]:
        """Centre and half width of a bar; the groups stand apart."""
        gap = self.width / 22
        step = (self.width - 2 * gap) / len(NAMES)
        group = next(place for place, (begin, end) in enumerate(GROUPS) if begin <= number < end)
        return round(self.left + gap * group + step * (number + 0.5)), max(1, round(step * 0.3))

    def _rows(self) -> tuple[int, int]:
        """First row and number of rows on each side of the middle line."""
        line = line_height(self.size)
        return self.top + line, max(2, (self.height - 2 * line - self.size // 3) // 2)

    def draw_ground(self, draw: ImageDraw.ImageDraw) -> None:
        """Tracks, names and ranges, which are the same in every frame."""
        top, half = self._rows()
        for number, name in enumerate(NAMES):
            centre, side = self._column(number)
            draw.rectangle((centre - side, top, centre + side - 1, top + 2 * half), fill=TRACK)
            draw.line((centre - side, top + half, centre + side - 1, top + half), fill=LINE)
            place = centre - text_width(name, self.size) // 2
            write(draw, place, top + 2 * half + self.size // 4, name, self.size, QUIET)
        for (begin, end), scale, unit in zip(GROUPS, self.scales, UNITS, strict=True):
            text = f"±{scale:g} {unit if self.units else ''}".rstrip()
            middle = (self._column(begin)[0] + self._column(end - 1)[0]) // 2
            right = min(middle + text_width(text, self.size) // 2, self.left + self.width)
            write(draw, right - text_width(text, self.size), self.top, text, self.size, QUIET)

    def fill(self, frame: NDArray[np.uint8], action: Sequence[float]) -> None:
        """The bars themselves, (H, W, 3) in place; what is no number has none."""
        top, half = self._rows()
        for number, value in enumerate(action[: len(NAMES)]):
            group = next(place for place, (begin, end) in enumerate(GROUPS) if begin <= number < end)
            if not math.isfinite(value) or not value:
                continue
            length = max(1, round(min(abs(value) / self.scales[group], 1.0) * half))
            centre, side = self._column(number)
            rows = slice(top + half - length, top + half) if value > 0 else slice(top + half + 1, top + half + 1 + length)
            frame[rows, centre - side : centre + side] = UP if value > 0 else DOWN
