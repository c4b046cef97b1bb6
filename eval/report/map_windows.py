"""Which part of a picture a panel of the failure map shows, and how large its marks are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

RADIUS, SHOWN = 14, 350
"""Pixels: of a mark, and of a panel's width, on the page."""
AROUND, FLATTEST = 64, 0.6
"""Pixels of a picture that are shown around its marks; the least height of that, of its width."""
WIDEST, NARROWEST = 0.7, 0.3
"""Least width of what is shown, of the picture's: where marks lie apart, and where they would cover each other."""
APART = 1.85 * RADIUS
"""Pixels on the page between two marks of full size that do not hide each other."""

Point = tuple[float, float]
Size = tuple[float, float]
Window = tuple[float, float, float, float]
"""Column, row, width and height of a part of a picture."""


def window(picture: Size, points: Sequence[Point], marks: Sequence[Point]) -> Window:
    """As much of a picture as surrounds some points; less of it where marks lie close together."""
    (left, right), (top, bottom) = ((min(p[k] for p in points), max(p[k] for p in points)) for k in (0, 1))
    width, height = picture
    least = min(max(_closest(marks) * SHOWN / APART, NARROWEST * width), WIDEST * width)
    wide = min(max(right - left + 2 * AROUND, bottom - top + 2 * AROUND, least), width)
    high = min(max(bottom - top + 2 * AROUND, FLATTEST * wide), height)
    return _around(((left + right) / 2, (top + bottom) / 2), (wide, high), picture)


def together(windows: Sequence[Window]) -> Window:
    """The window that shows what all of them do."""
    left, top = min(x for x, _, _, _ in windows), min(y for _, y, _, _ in windows)
    right, bottom = max(x + wide for x, _, wide, _ in windows), max(y + high for _, y, _, high in windows)
    return left, top, round(right - left, 1), round(bottom - top, 1)


def resized(old: Window, size: Size, picture: Size) -> Window:
    """A window around the middle of another."""
    left, top, wide, high = old
    return _around((left + wide / 2, top + high / 2), size, picture)


def scale(shown: Window, marks: Sequence[Point]) -> float:
    """Of marks: alike on the page whatever the window, but smaller where they would cover each other."""
    usual = shown[2] / SHOWN
    return round(min(usual, max(_closest(marks) / APART, usual / 3)), 3)


def _around(middle: Point, size: Size, picture: Size) -> Window:
    (x, y), (wide, high), (width, height) = middle, size, picture
    left, top = min(max(x - wide / 2, 0.0), width - wide), min(max(y - high / 2, 0.0), height - high)
    return round(left, 1), round(top, 1), round(wide, 1), round(high, 1)


def _closest(points: Sequence[Point]) -> float:
    return min((math.dist(a, b) for a, b in itertools.combinations(points, 2)), default=math.inf)
