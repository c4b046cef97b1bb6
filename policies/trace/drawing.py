"""The trace as lines and arrow heads on an image, pixel for pixel as the release draws it (Pillow >= 11.2.1)."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

COLOURS = ((255, 0, 0), (208, 255, 0), (0, 255, 92), (0, 116, 255), (184, 0, 255))
"""RGB of each point: matplotlib's ``hsv`` map in six steps without the last, which is the first again."""

LINE_WIDTH = 2
HEAD_LENGTH = 10.0
HEAD_ANGLE = math.radians(40.0)


def draw_trace(image: NDArray[np.uint8], trace: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A copy of ``image`` (H, W, 3) with the trace on it.

    ``trace``: (rows, points, 2), x and y in pixels, oldest row first; at least 2 rows, at most as many points as colours.
    Later points cover earlier ones, and all arrow heads cover all lines.
    """
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    ways = [trace[:, point] for point in range(trace.shape[1])]
    for way, colour in zip(ways, COLOURS, strict=False):
        corners = [tuple(position) for position in way.tolist()]
        for start, end in pairwise(corners):
            # One call a segment: a polyline would have joints, which the model never saw.
            draw.line([start, end], fill=colour, width=LINE_WIDTH)
    for way, colour in zip(ways, COLOURS, strict=False):
        draw.polygon(_arrow_head(way[-2], way[-1]), fill=colour, outline=colour)
    return np.array(canvas)


def _arrow_head(before: NDArray[np.float32], tip: NDArray[np.float32]) -> list[tuple[float, float]]:
    """Tip and wings. The size is fixed, however short the last step; without a last step it is one pixel."""
    step = tip - before
    length = np.linalg.norm(step)
    # In float32 up to here, in float64 from here on: wings that fall on another pixel would be another image.
    dx, dy = (step / length if length > 0 else np.zeros_like(step)).tolist()
    x, y = tip.tolist()
    back, side = HEAD_LENGTH * math.cos(HEAD_ANGLE), HEAD_LENGTH * math.sin(HEAD_ANGLE)
    return [
        (x, y),
        (x - back * dx + side * dy, y - back * dy - side * dx),
        (x - back * dx - side * dy, y - back * dy + side * dx),
    ]
