"""Rooms with a table, as boxes in world coordinates (metres, z up; the tables' tops lie at the original's heights)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.assets.stand_ins.meshes import Rgb, Vec3, box, glb, painted

GOOGLE_ORIGIN = (1.6616, 3.0337, 0.0)
"""Where the stage file's origin lies: the file is turned by 90 degrees about x and put there (docs/simpler.md 9.1)."""
BRIDGE_ORIGIN = (2.0634, 2.8313, 0.0)


@dataclass(frozen=True)
class StageBox:
    """One box of a stage, in world coordinates; ``color`` is linear RGB."""

    low: Vec3
    high: Vec3
    color: Rgb


@dataclass(frozen=True)
class Stage:
    """A stage file: its boxes and the file's origin in the world."""

    boxes: tuple[StageBox, ...]
    origin: Vec3


def _room(floor: Rgb, wall: Rgb, roof: bool) -> list[StageBox]:
    low, high, top, t = -3.0, 3.0, 2.6, 0.1
    boxes = [
        StageBox((low, low, -t), (high, high, 0.0), floor),
        StageBox((low - t, low, 0.0), (low, high, top), wall),
        StageBox((high, low, 0.0), (high + t, high, top), wall),
        StageBox((low, low - t, 0.0), (high, low, top), wall),
        StageBox((low, high, 0.0), (high, high + t, top), wall),
    ]
    return [*boxes, StageBox((low, low, top), (high, high, top + t), wall)] if roof else boxes


def _table(low: tuple[float, float], high: tuple[float, float], top: float, plate: Rgb, body: Rgb) -> list[StageBox]:
    """Table top 4 cm thick on a closed body that stands a little back."""
    inset, thick = 0.03, 0.04
    return [
        StageBox((*low, top - thick), (*high, top), plate),
        StageBox((low[0] + inset, low[1] + inset, 0.0), (high[0] - inset, high[1] - inset, top - thick), body),
    ]


def _drawer_fronts(body: Rgb) -> list[StageBox]:
    """Three drawers below the edge that faces the robot; for the eye only, they stay behind the edge."""
    light: Rgb = (min(body[0] * 1.15, 1.0), min(body[1] * 1.15, 1.0), min(body[2] * 1.15, 1.0))
    boxes = []
    for low in (0.08, 0.33, 0.58):
        boxes.append(StageBox((-0.01, -0.4, low), (0.0, 0.8, low + 0.22), light))
        boxes.append(StageBox((0.0, 0.11, low + 0.15), (0.012, 0.29, low + 0.165), (0.03, 0.03, 0.03)))
    return boxes


def _google(plate: Rgb, body: Rgb, floor: Rgb, wall: Rgb, roof: bool = True) -> Stage:
    boxes = _table((-0.64, -0.45), (0.02, 0.85), 0.87, plate, body) + _drawer_fronts(body) + _room(floor, wall, roof)
    return Stage(tuple(boxes), GOOGLE_ORIGIN)


def _bridge(top: float, plate: Rgb, body: Rgb) -> Stage:
    boxes = _table((-0.6, -0.6), (0.45, 0.6), top, plate, body) + _room((0.22, 0.2, 0.18), (0.6, 0.58, 0.54), False)
    screen = StageBox((-0.7, -1.4, 0.0), (-0.64, 1.4, 1.5), (0.16, 0.2, 0.26))  # cloth screen behind the table
    return Stage((*boxes, screen), BRIDGE_ORIGIN)


PLATE: Rgb = (0.46, 0.4, 0.34)
CABINET: Rgb = (0.5, 0.45, 0.38)
CARPET: Rgb = (0.4, 0.33, 0.25)
PLASTER: Rgb = (0.3, 0.27, 0.24)

STAGES: dict[str, Stage] = {
    "google_pick_coke_can_1_v4": _google(PLATE, CABINET, CARPET, PLASTER),
    "google_pick_coke_can_1_v4_no_roof": _google(PLATE, CABINET, CARPET, PLASTER, roof=False),
    "google_pick_coke_can_1_v4_alt_background": _google(PLATE, CABINET, (0.1, 0.15, 0.26), (0.24, 0.4, 0.55)),
    "google_pick_coke_can_1_v4_alt_background_2": _google(PLATE, CABINET, (0.2, 0.11, 0.06), (0.58, 0.33, 0.2)),
    "Baked_sc1_staging_objaverse_cabinet1_h870": _google((0.1, 0.085, 0.08), (0.17, 0.14, 0.12), CARPET, PLASTER),
    "Baked_sc1_staging_objaverse_cabinet2_h870": _google((0.72, 0.68, 0.6), (0.42, 0.28, 0.17), CARPET, PLASTER),
    "bridge_table_1_v1": _bridge(0.87, (0.36, 0.12, 0.05), (0.24, 0.08, 0.035)),
    "bridge_table_1_v2": _bridge(0.85, (0.6, 0.58, 0.53), (0.4, 0.38, 0.34)),
}


def stage_file(name: str) -> bytes:
    """GLB of a stage, y up: world (x, y, z) minus the origin becomes (x, z, -y)."""
    stage = STAGES[name]
    to_file = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    parts = []
    for item in stage.boxes:
        mesh = box(item.low, item.high)
        mesh.vertices = (mesh.vertices - np.array(stage.origin)) @ to_file.T
        parts.append(painted(mesh.copy(), item.color))
    return glb(parts)
