"""The cabinets of the drawer tasks: true joint frames and boxes, coloured as the original's stations (docs/simpler.md 9.3)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.assets.stand_ins.rooms import Block, blocks_glb

Vec3 = Sequence[float]
Colour = tuple[float, float, float]
TABLETOP = "stone_tabletop.glb"


@dataclass(frozen=True)
class Station:
    """Linear colours of body and fronts, drawer boards and handles; top None is the stone mesh."""

    body: Colour
    boards: Colour
    top: Colour | None
    handles: Colour


_GRAY, _BROWN = (0.38824, 0.32157, 0.27451), (0.325, 0.187, 0.1166)
_BLACK, _RUST = (0.1, 0.1, 0.1), (0.01266, 0.00226, 0.0005)
_STONE = (0.63529, 0.52941, 0.41176)

STATIONS = {
    "mk_station": Station(_GRAY, (1, 1, 1), _STONE, _BLACK),
    "mk_station2": Station(_GRAY, _GRAY, _STONE, _BLACK),
    "mk_station3": Station(_GRAY, _GRAY, None, _BLACK),
    "mk_station4": Station(_BROWN, _BROWN, None, _RUST),
    "mk_station_recolor": Station(_BROWN, _BROWN, _BROWN, _RUST),
}

_TOP_AT = (0.0, 0.0, 0.855)
_TOP_SIZE = (0.63, 0.615, 0.02)
_BODY = (
    ("body_back", (-0.305, 0.0, 0.4225), (0.02, 0.615, 0.845)),
    ("body_left", (0.0, -0.2975, 0.4225), (0.59, 0.02, 0.845)),
    ("body_right", (0.0, 0.2975, 0.4225), (0.59, 0.02, 0.845)),
)
# the order is part of the rule: a task looks at the contacts of the third shape (docs/simpler.md 9.3)
_DRAWER = (
    ("drawer_front", (0.305, 0.0, 0.0), (0.015, 0.615, 0.14)),
    ("drawer_back", (-0.285, 0.0, -0.02), (0.02, 0.515, 0.1)),
    ("drawer_interior_bottom", (0.0, 0.0, -0.06), (0.55, 0.515, 0.02)),
    ("drawer_interior_front", (0.285, 0.0, -0.02), (0.02, 0.515, 0.1)),
    ("drawer_left", (0.0, -0.2675, -0.02), (0.59, 0.02, 0.1)),
    ("drawer_right", (0.0, 0.2675, -0.02), (0.59, 0.02, 0.1)),
)
_HANDLE = (
    ("handle0", (0.3425, 0.0, 0.02), (0.005, 0.1, 0.005)),
    ("handle1", (0.3325, -0.05, 0.02), (0.02, 0.005, 0.005)),
    ("handle2", (0.3325, 0.05, 0.02), (0.02, 0.005, 0.005)),
)
_DRAWERS = (("top_drawer", 0.668), ("middle_drawer", 0.423), ("bottom_drawer", 0.178))


def urdf(station: str) -> bytes:
    """Cabinet file of a station; masses follow from the boxes, handles have no collision."""
    look = STATIONS[station]
    root = ET.Element("robot", name=station)
    _material(root, "gray_wooden", look.body)
    _material(root, "white_wooden", look.boards)
    _material(root, "black", look.handles)
    if look.top is not None:
        _material(root, "stone", look.top)
    body = ET.SubElement(root, "link", name="body")
    for name, xyz, size in _BODY:
        _box(body, "visual", name, xyz, size, "gray_wooden")
        _box(body, "collision", f"{name}_collision", xyz, size)
    _box(body, "collision", "tabletop_collision", _TOP_AT, _TOP_SIZE)
    if look.top is not None:
        _box(body, "visual", "tabletop", _TOP_AT, _TOP_SIZE, "stone")
    else:
        geometry = _element(body, "visual", "tabletop", _TOP_AT)
        ET.SubElement(geometry, "mesh", filename=f"models/{TABLETOP}")
    for drawer, height in _DRAWERS:
        _drawer(root, drawer, height)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _drawer(root: ET.Element, name: str, height: float) -> None:
    link = ET.SubElement(root, "link", name=name)
    for part, xyz, size in _HANDLE:
        _box(link, "visual", part, xyz, size, "black")
    for part, xyz, size in _DRAWER:
        _box(link, "visual", part, xyz, size, "gray_wooden" if part == "drawer_front" else "white_wooden")
        _box(link, "collision", f"{part}_collision", xyz, size)
    joint = ET.SubElement(root, "joint", name=f"{name}_joint", type="prismatic")
    ET.SubElement(joint, "limit", lower="0", upper="0.5", effort="0", velocity="0")
    ET.SubElement(joint, "origin", xyz=f"0 0 {height}", rpy="0 0 0")
    ET.SubElement(joint, "parent", link="body")
    ET.SubElement(joint, "child", link=name)
    ET.SubElement(joint, "axis", xyz="1 0 0")


def _material(root: ET.Element, name: str, color: Colour) -> None:
    material = ET.SubElement(root, "material", name=name)
    ET.SubElement(material, "color", rgba=" ".join(map(str, (*color, 1.0))))


def _element(link: ET.Element, kind: str, name: str, xyz: Vec3) -> ET.Element:
    item = ET.SubElement(link, kind, name=name)
    ET.SubElement(item, "origin", xyz=" ".join(map(str, xyz)), rpy="0 0 0")
    return ET.SubElement(item, "geometry")


def _box(link: ET.Element, kind: str, name: str, xyz: Vec3, size: Vec3, material: str | None = None) -> None:
    ET.SubElement(_element(link, kind, name, xyz), "box", size=" ".join(map(str, size)))
    if material is not None:
        ET.SubElement(link[-1], "material", name=material)


def tabletop() -> bytes:
    """GLB of the stone table top, centred at its own origin."""
    x, y, z = (size / 2 for size in _TOP_SIZE)
    return blocks_glb([Block((-x, -y, -z), (x, y, z), ("concrete", "#b3a08c"))], np.eye(4))
