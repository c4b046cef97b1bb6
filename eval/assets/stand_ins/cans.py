"""Drink cans: standing along y, with a printed side and a metal rim."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from eval.assets.stand_ins.meshes import Mesh, Vec3, lathe, painted, textured

Srgb = tuple[int, int, int]

SIDE = [(0.88, 0.02), (1.0, 0.07), (1.0, 0.86), (0.93, 0.93)]
"""Printed part: (radius, height) as shares of the full radius and height."""
BOTTOM = [(0.0, 0.03), (0.6, 0.03), (0.72, 0.0), (0.88, 0.02)]
TOP = [(0.93, 0.93), (0.82, 0.98), (0.82, 1.0), (0.78, 1.0), (0.76, 0.975), (0.0, 0.975)]


@dataclass(frozen=True)
class Print:
    """The print of a can: sRGB ground, wave and badge."""

    ground: Srgb
    wave: Srgb
    badge: Srgb
    lettering: str


PRINTS = {
    "coke_can": Print((200, 16, 24), (245, 240, 235), (225, 60, 60), "wave"),
    "pepsi_can": Print((16, 66, 160), (235, 238, 245), (210, 30, 45), "ball"),
    "sprite_can": Print((20, 140, 70), (225, 235, 70), (240, 245, 245), "wave"),
    "7up_can": Print((26, 150, 62), (240, 245, 240), (220, 40, 35), "ball"),
    "fanta_can": Print((245, 125, 20), (250, 220, 60), (30, 70, 160), "ball"),
    "redbull_can": Print((170, 178, 190), (28, 58, 130), (205, 30, 40), "quarters"),
}


def label(style: Print) -> NDArray[np.uint8]:
    """(256, 512, 3) image that is wrapped once around a can; its middle row is the can's middle."""
    width, height = 512, 256
    image = Image.new("RGB", (width, height), style.ground)
    draw = ImageDraw.Draw(image)
    for start in (0, width // 2):  # front and back alike
        if style.lettering == "quarters":
            draw.polygon([(start, 0), (start + 128, 0), (start + 128, 128), (start, 128)], fill=style.wave)
            draw.polygon([(start + 128, 128), (start + 256, 128), (start + 256, 256), (start + 128, 256)], fill=style.wave)
            draw.ellipse([start + 84, 100, start + 172, 156], fill=style.badge)
        elif style.lettering == "ball":
            draw.ellipse([start + 62, 60, start + 194, 192], fill=style.wave)
            draw.pieslice([start + 72, 70, start + 184, 182], 190, 350, fill=style.badge)
            draw.pieslice([start + 72, 70, start + 184, 182], 10, 170, fill=style.ground)
        else:
            along = np.arange(0, 257, 4)
            lower = 150 + 34 * np.sin(along / 256 * 2 * np.pi)
            points = [(start + float(x), float(y)) for x, y in zip(along, lower, strict=True)]
            draw.polygon(points + [(x, y - 30) for x, y in reversed(points)], fill=style.wave)
            draw.rounded_rectangle([start + 70, 40, start + 190, 84], radius=20, fill=style.badge)
    draw.rectangle([0, 0, width, 8], fill=(190, 190, 195))
    return np.asarray(image)


def can(low: Vec3, high: Vec3, style: Print) -> tuple[list[Mesh], list[Mesh]]:
    """(visual parts, collision pieces) of a can that fills the box between two corners."""
    radius = (high[0] - low[0] + high[2] - low[2]) / 4
    height = high[1] - low[1]
    center = ((low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2)

    def part(profile: list[tuple[float, float]]) -> Mesh:
        return lathe([(r * radius, h * height) for r, h in profile], "y", center)

    metal = (0.62, 0.63, 0.65)
    visual = [
        textured(part(SIDE), label(style), roughness=0.4),
        painted(part(BOTTOM), metal, roughness=0.35),
        painted(part(TOP), metal, roughness=0.35),
    ]
    hull = lathe([(r * radius, h * height) for r, h in [(0.74, 0), (1, 0.07), (1, 0.86), (0.82, 1)]], "y", center, 32)
    return visual, [hull]
