"""Text on images, in the fonts that :mod:`eval.records.fonts` finds; whatever the text holds, nothing raises."""

from __future__ import annotations

from PIL import ImageDraw

from eval.records.fonts import OWN, by_face, drawable, font

Color = tuple[int, int, int]

MOST_LETTERS = 500
"""Of a text that are looked at; no line on an image holds more."""
CUT = "…"


def line_height(size: int) -> int:
    """Rows between two lines of text of ``size`` pixels."""
    return round(size * 1.25)


def text_width(text: str, size: int) -> int:
    """Columns that a line takes."""
    return _width(_clean(text), size)


def _width(clean: str, size: int) -> int:
    return round(sum(font(face, size).getlength(part) for part, face in by_face(clean)))


def fitted(text: str, size: int, width: int) -> str:
    """A text on one line of ``width`` columns, cut where it is too long."""
    clean = _clean(text)
    if _width(clean, size) <= width:
        return clean
    low, high = 0, len(clean)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _width(clean[:middle].rstrip() + CUT, size) <= width else (low, middle - 1)
    return clean[:low].rstrip() + CUT if low else ""


def wrapped(text: str, size: int, width: int, most: int) -> list[str]:
    """A text on at most ``most`` lines of ``width`` columns; the last one is cut where more would follow."""
    words = _clean(text).split(" ")
    lines: list[str] = []
    while words and len(lines) < most - 1:
        count = next((n for n in range(len(words), 1, -1) if text_width(" ".join(words[:n]), size) <= width), 1)
        lines.append(fitted(" ".join(words[:count]), size, width))
        words = words[count:]
    return [*lines, fitted(" ".join(words), size, width)] if words else lines


def write(draw: ImageDraw.ImageDraw, left: int, top: int, text: str, size: int, color: Color, width: int | None = None) -> int:
    """Write one line, cut to ``width`` columns where that is given; returns the column behind it."""
    shown = _clean(text) if width is None else fitted(text, size, width)
    baseline, column = top + font(OWN, size).getmetrics()[0], float(left)
    for part, face in by_face(shown):
        drawn_with = font(face, size)
        draw.text((column, baseline), part, fill=color, font=drawn_with, anchor="ls")
        column += drawn_with.getlength(part)
    return left + _width(shown, size)


def _clean(text: str) -> str:
    """One line of letters that some font has: no line breaks, control characters, lone surrogates."""
    return drawable(" ".join(text[:MOST_LETTERS].split()))
