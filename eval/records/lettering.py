"""Text on images, in the scalable font that Pillow brings along: Latin letters; others show as boxes, and nothing raises."""

from __future__ import annotations

from functools import lru_cache

from PIL import ImageDraw, ImageFont

Color = tuple[int, int, int]

MOST_LETTERS = 500
"""Of a text that are looked at; no line on an image holds more."""
CUT = "…"


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(max(size, 1))
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType, so it has no scalable font; install its wheel.")
    return font


def line_height(size: int) -> int:
    """Rows between two lines of text of ``size`` pixels."""
    return round(size * 1.25)


def text_width(text: str, size: int) -> int:
    """Columns that a line takes."""
    return round(_font(size).getlength(_clean(text)))


def fitted(text: str, size: int, width: int) -> str:
    """A text on one line of ``width`` columns, cut where it is too long."""
    clean = _clean(text)
    if text_width(clean, size) <= width:
        return clean
    low, high = 0, len(clean)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text_width(clean[:middle].rstrip() + CUT, size) <= width else (low, middle - 1)
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
    draw.text((left, top), shown, fill=color, font=_font(size))
    return left + text_width(shown, size)


def _clean(text: str) -> str:
    """One line without what has no shape: line breaks, control characters, lone surrogates."""
    words = " ".join(text[:MOST_LETTERS].split())
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in words)
