"""The loose objects of the tasks: extents of the true models, shapes and colours of our own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import trimesh

from eval.assets.stand_ins.cans import PRINTS, can
from eval.assets.stand_ins.meshes import Mesh, Rgb, Vec3, box, ellipsoid, glb, hulls_obj, lathe, painted

Parts = tuple[list[Mesh], list[Mesh]]
"""Visual parts and collision pieces (one convex hull each)."""

CAN_EXTENTS: dict[str, tuple[Vec3, Vec3]] = {
    "coke_can": ((-0.0331, -0.0690, -0.0322), (0.0338, 0.0538, 0.0341)),
    "pepsi_can": ((-0.0332, -0.0643, -0.0331), (0.0336, 0.0599, 0.0337)),
    "sprite_can": ((-0.0333, -0.0620, -0.0335), (0.0341, 0.0611, 0.0338)),
    "7up_can": ((-0.0330, -0.0630, -0.0335), (0.0332, 0.0590, 0.0327)),
    "fanta_can": ((-0.0334, -0.0636, -0.0333), (0.0339, 0.0596, 0.0340)),
    "redbull_can": ((-0.0299, -0.0658, -0.0297), (0.0298, 0.0675, 0.0298)),
}


def _hull(mesh: Mesh) -> Mesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces)


def _apple() -> Parts:
    low, high = (-0.0407, -0.0404, -0.0362), (0.0397, 0.0404, 0.0362)
    fruit = ellipsoid(low, high)
    radius = np.linalg.norm(fruit.vertices[:, :2], axis=1)
    fruit.vertices[:, 2] -= np.sign(fruit.vertices[:, 2]) * 0.009 * np.exp(-((radius / 0.012) ** 2))  # dimples
    stem = lathe([(0.0015, 0.026), (0.002, 0.0443)], "z", sections=12)
    leaf = ellipsoid((0.001, -0.005, 0.035), (0.018, 0.005, 0.038), 2)
    visual = [
        painted(fruit, (0.55, 0.03, 0.03), 0.45),
        painted(stem, (0.12, 0.06, 0.02)),
        painted(leaf, (0.08, 0.3, 0.04)),
    ]
    return visual, [_hull(ellipsoid(low, high, 2))]


def _orange() -> Parts:
    low, high = (-0.0352, -0.0353, -0.0359), (0.0353, 0.0354, 0.0328)
    navel = lathe([(0.004, 0.031), (0.003, 0.0325), (0.0, 0.0335)], "z", sections=12)
    visual = [painted(ellipsoid(low, high), (0.85, 0.28, 0.02), 0.6), painted(navel, (0.1, 0.25, 0.04))]
    return visual, [_hull(ellipsoid(low, high, 2))]


def _sponge() -> Parts:
    low, mid, high = (-0.0505, -0.032, -0.0185), (0.0505, 0.0391, 0.006), (0.0505, 0.0391, 0.0185)
    visual = [
        painted(box(low, mid), (0.8, 0.62, 0.08), 0.95),
        painted(box((low[0], low[1], mid[2]), high), (0.08, 0.3, 0.12), 0.95),
    ]
    return visual, [box(low, high)]


def _bottle() -> Parts:
    center = (0.0014, 0.0, 0.0027)
    body = [
        (0.0, -0.0882),
        (0.028, -0.0882),
        (0.0315, -0.08),
        (0.0315, 0.045),
        (0.026, 0.065),
        (0.013, 0.088),
        (0.012, 0.096),
    ]
    cap = [(0.0145, 0.096), (0.0145, 0.1157), (0.0, 0.1157)]
    band = [(0.032, -0.02), (0.032, 0.03)]
    visual = [
        painted(lathe(body, "y", center), (0.06, 0.25, 0.62), 0.25),
        painted(lathe(cap, "y", center), (0.85, 0.85, 0.88), 0.5),
        painted(lathe(band, "y", center), (0.75, 0.8, 0.86), 0.6),
    ]
    lower = lathe([(0.028, -0.0882), (0.0315, -0.08), (0.0315, 0.045), (0.027, 0.065)], "y", center, 24)
    upper = lathe([(0.026, 0.066), (0.0145, 0.09), (0.0145, 0.1157)], "y", center, 24)
    return visual, [lower, upper]


def _carrot() -> Parts:
    center = (0.0, 0.0, -0.001)
    root = [(0.0, -0.0641), (0.004, -0.060), (0.0085, -0.041), (0.0125, -0.028), (0.0155, 0.0), (0.0158, 0.022)]
    root += [(0.0135, 0.036), (0.008, 0.041), (0.0, 0.042)]
    visual = [painted(lathe(root, "x", center), (0.85, 0.22, 0.02), 0.6)]
    visual += [painted(lathe([(0.0155, x), (0.0162, x + 0.001), (0.0155, x + 0.002)], "x", center), (0.62, 0.13, 0.015))
               for x in (0.004, 0.015)]  # fmt: skip
    for side, up in ((0.0, 0.011), (-0.006, 0.006), (0.006, 0.006)):
        leaf = ellipsoid((0.034, side - 0.004, up - 0.006), (0.0542, side + 0.004, up + 0.010), 2)
        visual.append(painted(leaf, (0.06, 0.26, 0.05), 0.8))
    hull = lathe([(0.003, -0.0641), (0.0085, -0.041), (0.0155, 0.0), (0.0158, 0.022), (0.012, 0.045)], "x", center, 20)
    return visual, [hull]


def _plate(radius: float, color: Rgb) -> Parts:
    dish = [
        (0.0, 0.0),
        (0.6, 0.0),
        (0.92, 0.0035),
        (1.0, 0.0058),
        (0.97, 0.006),
        (0.66, 0.0032),
        (0.55, 0.002),
        (0.0, 0.002),
    ]
    ring = [(0.71, 0.0042), (0.68, 0.0038)]
    visual = [
        painted(lathe([(r * radius, h) for r, h in dish], "z", sections=64), color, 0.35),
        painted(lathe([(r * radius, h) for r, h in ring], "z", sections=64), (0.35, 0.5, 0.12), 0.4),
    ]
    hull = lathe([(0.62 * radius, 0.0), (radius, 0.0055), (radius, 0.006)], "z", sections=48)
    return visual, [hull]


def _spoon() -> Parts:
    green = (0.05, 0.32, 0.1)
    bowl = [ellipsoid((-0.073, -0.0178, -0.0115), (-0.018, 0.0178, 0.004), 2)]
    handle = [box((-0.022, -0.006, -0.006), (0.005, 0.006, 0.009)), box((0.0, -0.0105, -0.0115), (0.0679, 0.0105, 0.0125))]
    inner = painted(ellipsoid((-0.066, -0.0135, 0.0), (-0.026, 0.0135, 0.0045), 2), (0.02, 0.16, 0.05))
    return [*(painted(p.copy(), green, 0.5) for p in bowl + handle), inner], [_hull(p) for p in bowl + handle]


def _cloth(low: Vec3, high: Vec3) -> Parts:
    sheet = box(low, (high[0], high[1], (low[2] + high[2]) / 2 + 0.001))
    top = sheet.bounds[1][2]
    stripes = []
    for x in (low[0] + 0.01, low[0] + 0.08):
        stripe = box((x, low[1] + 0.004, top), (x + 0.008, high[1] - 0.004, top + 4e-4))
        stripes.append(painted(stripe, (0.65, 0.68, 0.75), 0.95))
    return [painted(sheet.copy(), (0.08, 0.16, 0.45), 0.95), *stripes], [sheet]


def _eggplant() -> Parts:
    body = [
        (0.007, -0.0355),
        (0.011, -0.0315),
        (0.0145, -0.0175),
        (0.018, -0.003),
        (0.0185, 0.009),
        (0.0165, 0.022),
        (0.01, 0.031),
        (0.0, 0.0338),
    ]
    cap = [(0.0, -0.0449), (0.0025, -0.0449), (0.0035, -0.037), (0.0085, -0.0355), (0.0128, -0.0255)]
    visual = [
        painted(lathe(body, "x", (0, 0, -0.001)), (0.09, 0.02, 0.16), 0.3),
        painted(lathe(cap, "x", (0, 0, -0.001)), (0.1, 0.25, 0.05)),
    ]
    rows = [(0.0025, -0.0449), (0.011, -0.0315), (0.018, -0.003), (0.0185, 0.009), (0.0165, 0.022), (0.008, 0.0338)]
    return visual, [lathe(rows, "x", (0, 0, -0.001), 20)]


def _block(low: Vec3, high: Vec3, color: Rgb) -> Parts:
    return [painted(box(low, high), color, 0.6)], [box(low, high)]


# floors of basin and basket, then the rims around them, the ledge last; sink frame, m
SINK_BOXES: tuple[tuple[Vec3, Vec3], ...] = (
    # floor of the basin, of the basket, then the rims around them, with the ledge for the tap last
    ((-0.055, -0.02, -0.0013), (0.098, 0.164, 0.043)),
    ((-0.026, -0.146, -0.0013), (0.092, -0.048, 0.051)),
    ((0.098, -0.204, 0.0), (0.138, 0.195, 0.098)),
    ((-0.055, 0.164, 0.0), (0.098, 0.195, 0.098)),
    ((-0.055, -0.048, 0.0), (0.098, -0.02, 0.098)),
    ((-0.026, -0.204, 0.0), (0.098, -0.146, 0.098)),
    ((-0.137, -0.204, 0.0), (-0.055, 0.195, 0.098)),
    ((-0.055, -0.204, 0.0), (-0.026, -0.048, 0.098)),
    ((0.092, -0.146, 0.0), (0.098, -0.048, 0.098)),
    ((-0.137, -0.151, 0.098), (-0.080, -0.024, 0.1174)),
)


def _sink() -> Parts:
    """Basin and basket; the pieces stay a little apart, since pieces that share a corner would become one hull."""
    gap = 2e-4
    pieces = [box((x0 + gap, y0 + gap, z0 + gap), (x1 - gap, y1 - gap, z1 - gap)) for (x0, y0, z0), (x1, y1, z1) in SINK_BOXES]
    return [painted(piece.copy(), (0.27, 0.57, 0.67), 0.4) for piece in pieces], pieces


CUBE = ((-0.015, -0.015, -0.015), (0.015, 0.015, 0.015))
PLATE_COLOR: Rgb = (0.62, 0.74, 0.3)

MODELS: dict[str, Callable[[], Parts]] = {
    **{name: (lambda name=name: can(*CAN_EXTENTS[name], PRINTS[name])) for name in PRINTS},  # type: ignore[misc]
    "apple": _apple,
    "orange": _orange,
    "sponge": _sponge,
    "blue_plastic_bottle": _bottle,
    "bridge_carrot_generated": _carrot,
    "bridge_carrot_generated_modified": _carrot,
    "bridge_plate_objaverse": lambda: _plate(0.05, PLATE_COLOR),
    "bridge_plate_objaverse_larger": lambda: _plate(0.055, PLATE_COLOR),
    "bridge_spoon_generated_modified": _spoon,
    "table_cloth_generated": lambda: _cloth((-0.0498, -0.0512, -0.0115), (0.0507, 0.0499, 0.0142)),
    "table_cloth_generated_shorter": lambda: _cloth((-0.0511, -0.0503, -0.0049), (0.0499, 0.0498, 0.0061)),
    "green_cube_3cm": lambda: _block(*CUBE, (0.05, 0.42, 0.08)),
    "yellow_cube_3cm": lambda: _block(*CUBE, (0.75, 0.6, 0.05)),
    "eggplant": _eggplant,
    "sink": _sink,
    "dummy_sink_target_plane": lambda: _block((-0.065, -0.04, -0.001), (0.065, 0.04, 0.001), (0.5, 0.5, 0.5)),
}
"""Generators by plain model name."""

PREFIXES = ("", "opened_", "baked_", "baked_opened_")
SUFFIXES = ("", "_v2")


NAMES: dict[str, str] = {f"{prefix}{plain}{suffix}": plain for plain in MODELS for prefix in PREFIXES for suffix in SUFFIXES}
"""Plain name by the original's model name: opened and baked models look like the plain one."""

VISUAL, COLLISION = "textured.glb", "collision.obj"
FILES = (VISUAL, COLLISION)
"""The files of a model's folder."""


@cache
def model_file(plain: str, file: str) -> bytes:
    """Content of one of the ``FILES`` of a model, by its plain name."""
    visual, pieces = MODELS[plain]()
    return glb(visual) if file == VISUAL else hulls_obj(pieces)
