"""Synthetic images by rule: textured discs that move over a textured ground.

Integer arithmetic alone, so they are the same on every platform; recorded runs name them instead of holding them. The
discs' ways are known, which makes the images good for testing a tracker too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIZE = 256
_CELL = 8
"""Pixels between two nodes of a texture."""


def _swing(n: int, period: int) -> int:
    """0, 1, ... period / 2, ... 1, 0 and again."""
    rest = n % period
    return rest if rest <= period // 2 else period - rest


def _three(t: int) -> list[tuple[int, int]]:
    return [
        (50 + _swing(3 * t, 240), 70 + _swing(2 * t, 120)),
        (200 - _swing(4 * t, 260), 180 - _swing(t, 90)),
        (128 + _swing(5 * t, 160) // 2, 210 - _swing(3 * t, 280)),
    ]


def _two(t: int) -> list[tuple[int, int]]:
    return [
        (60 + _swing(2 * t, 200), 88 + _swing(3 * t, 160)),
        (210 - _swing(3 * t, 300), 60 + _swing(t, 200)),
    ]


def _still(t: int) -> list[tuple[int, int]]:
    return [(120, 120)]


def _few(t: int) -> list[tuple[int, int]]:
    return [(60 + _swing(3 * t, 300), 100)]


def _stopgo(t: int) -> list[tuple[int, int]]:
    """20 images in motion, 20 at rest."""
    moved = (t // 40) * 20 + min(t % 40, 20)
    return [(60 + 3 * moved, 80 + moved), (190 - 4 * moved, 180 - 2 * moved)]


def _leave(t: int) -> list[tuple[int, int]]:
    """Out of the image on the right, below and on the left."""
    return [(150 + 6 * (t % 40), 128 + 3 * (t % 40)), (90 - 5 * (t % 45), 60)]


KINDS: Mapping[str, tuple[tuple[int, ...], Callable[[int], list[tuple[int, int]]]]] = {
    "three": ((34, 26, 20), _three),
    "two": ((40, 24), _two),
    "still": ((30,), _still),
    "few": ((12,), _few),
    "stopgo": ((34, 22), _stopgo),
    "leave": ((36, 30), _leave),
}
"""Kind -> radii [px] of the discs and the rule for their centres (x, y) [px] in image t."""


def centres(kind: str, t: int) -> list[tuple[int, int]]:
    """Centres (x, y) [px] of the discs in image ``t`` (from 0)."""
    return KINDS[kind][1](t)


def synthetic_image(kind: str, seed: int, t: int) -> NDArray[np.uint8]:
    """(256, 256, 3) RGB: image ``t`` (from 0) of a video; later discs cover earlier ones."""
    out = _texture(seed).copy()
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    for disc, (radius, (cx, cy)) in enumerate(zip(KINDS[kind][0], centres(kind, t), strict=True)):
        inside = (x - cx) ** 2 + (y - cy) ** 2 <= radius * radius
        texture = _texture(seed + 1000 + disc)
        out[inside] = texture[(y - cy + SIZE // 2)[inside], (x - cx + SIZE // 2)[inside]]
    return out


@lru_cache(maxsize=16)
def _texture(seed: int) -> NDArray[np.uint8]:
    """(256, 256, 3): random nodes every 8 pixels, bilinear in between."""
    nodes = SIZE // _CELL + 1
    table = np.random.RandomState(seed).randint(0, 256, (nodes, nodes, 3)).astype(np.int64)
    node, part = np.divmod(np.arange(SIZE), _CELL)
    across = part[None, :, None]
    down = part[:, None, None]
    left, right = table[:, node] * (_CELL - across), table[:, node + 1] * across
    rows = left + right
    texture: NDArray[np.uint8] = ((rows[node] * (_CELL - down) + rows[node + 1] * down) // _CELL**2).astype(np.uint8)
    return texture
