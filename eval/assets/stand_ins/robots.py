"""Robot files: the true kinematic trees of both robots with simple shapes on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any
from xml.etree import ElementTree

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eval.assets.stand_ins.meshes import AXES, Rgb
from eval.assets.stand_ins.robot_shapes import (
    GOOGLE,
    GOOGLE_COLORS,
    GOOGLE_RECOLORS,
    WIDOWX,
    WIDOWX_COLORS,
    Block,
    Shape,
    Wedge,
)

TURN_TO_AXIS = {"x": (0.0, np.pi / 2, 0.0), "y": (np.pi / 2, 0.0, 0.0), "z": (0.0, 0.0, 0.0)}
"""Roll, pitch, yaw that lay a URDF cylinder, which stands along z, along an axis."""


@dataclass(frozen=True)
class Robot:
    """Kinematic tree, shapes and colours of a robot file."""

    family: str
    """``google_robot`` or ``widowx``."""
    shapes: Mapping[str, Sequence[Shape]]
    """By link."""
    colors: Mapping[str, Rgb]


GOOGLE_FILE = "googlerobot_description/google_robot_meta_sim_fix_wheel_fix_fingertip"
ROBOTS: Mapping[str, Robot] = {
    "widowx_description/wx250s.urdf": Robot("widowx", WIDOWX, WIDOWX_COLORS),
    f"{GOOGLE_FILE}.urdf": Robot("google_robot", GOOGLE, GOOGLE_COLORS),
    **{
        f"{GOOGLE_FILE}_{version}.urdf": Robot("google_robot", GOOGLE, {**GOOGLE_COLORS, **recolor})
        for version, recolor in GOOGLE_RECOLORS.items()
    },
}
"""Both robots, and the Google Robot in the colours of every URDF version, by file name."""


def wedges(robot: Robot) -> dict[str, Wedge]:
    """The mesh files that lie beside a robot's URDF."""
    numbered = ((link, index, shape) for link, shapes in robot.shapes.items() for index, shape in enumerate(shapes))
    return {_wedge_name(link, index): shape for link, index, shape in numbered if isinstance(shape, Wedge)}


def _wedge_name(link: str, index: int) -> str:
    return f"{link}_{index}.obj"


def wedge_file(wedge: Wedge) -> bytes:
    """OBJ of a wedge, in the frame of its link."""
    rows = np.array(wedge.rows)
    mirrored = np.concatenate([rows, rows * [-1.0, 1.0, 1.0]])
    vertices = mirrored[:, {"x": [0, 1, 2], "y": [1, 0, 2], "z": [1, 2, 0]}[wedge.axis]]
    hull = trimesh.Trimesh(vertices, np.arange(6).reshape(2, 3), process=False).convex_hull
    return str(hull.export(file_type="obj")).encode()


def urdf(robot: Robot) -> bytes:
    """URDF of a robot; the meshes of its wedges belong beside it."""
    data = json.loads(resources.files("task_configs").joinpath(f"robots/{robot.family}.json").read_text())
    root = ElementTree.Element("robot", name=robot.family)
    for entry in data["links"]:
        link = ElementTree.SubElement(root, "link", name=entry["name"])
        for index, shape in enumerate(robot.shapes.get(entry["name"], ())):
            if isinstance(shape, Wedge):
                _add_wedge(link, shape, _wedge_name(entry["name"], index), robot.colors)
            else:
                _add_block(link, shape, robot.colors)
    for joint in data["joints"]:
        root.append(_joint(joint))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, xml_declaration=True, encoding="utf-8"))


def _joint(data: Mapping[str, Any]) -> ElementTree.Element:
    """A URDF joint puts its axis into the child's frame; ours has a frame of its own with the axis along x."""
    parent, child = np.array(data["pose_in_parent"]), np.array(data["pose_in_child"])
    child_rotation = Rotation.from_quat(np.roll(child[3:], -1))
    rotation = Rotation.from_quat(np.roll(parent[3:], -1)) * child_rotation.inv()
    origin = parent[:3] - rotation.apply(child[:3])
    joint = ElementTree.Element("joint", name=data["name"], type=data["type"])
    _add_origin(joint, origin, _rpy(rotation))
    ElementTree.SubElement(joint, "parent", link=data["parent"])
    ElementTree.SubElement(joint, "child", link=data["child"])
    if data["type"] != "fixed":
        ElementTree.SubElement(joint, "axis", xyz=_text(child_rotation.apply([1.0, 0.0, 0.0])))
        lower, upper = data["limits"]
        ElementTree.SubElement(joint, "limit", lower=f"{lower:.9g}", upper=f"{upper:.9g}", effort="1000", velocity="1000")
    return joint


def _rpy(rotation: Rotation) -> NDArray[np.float64]:
    """Roll, pitch, yaw; straight up or down, where they are not unique, the third angle is 0."""
    matrix = rotation.as_matrix()
    pitch = float(np.arctan2(-matrix[2, 0], np.hypot(matrix[0, 0], matrix[1, 0])))
    if np.hypot(matrix[0, 0], matrix[1, 0]) < 1e-7:
        return np.array([np.arctan2(-matrix[1, 2], matrix[1, 1]), pitch, 0.0])
    return np.array([np.arctan2(matrix[2, 1], matrix[2, 2]), pitch, np.arctan2(matrix[1, 0], matrix[0, 0])])


def _add_block(link: ElementTree.Element, block: Block, colors: Mapping[str, Rgb]) -> None:
    low, high = np.array(block.low), np.array(block.high)
    size, center = high - low, (low + high) / 2
    if block.look == "box":
        geometry = ElementTree.Element("box", size=_text(size))
        turn: Sequence[float] = (0.0, 0.0, 0.0)
    else:
        along = AXES[block.look]
        radius = float(np.delete(size, along).mean()) / 2
        geometry = ElementTree.Element("cylinder", radius=f"{radius:.6g}", length=f"{size[along]:.6g}")
        turn = TURN_TO_AXIS[block.look]
    _add_visual(link, geometry, center, turn, block.color, colors)
    if block.collides:
        collision = ElementTree.SubElement(link, "collision")
        _add_origin(collision, center, turn)
        ElementTree.SubElement(collision, "geometry").append(geometry)


def _add_wedge(link: ElementTree.Element, wedge: Wedge, file: str, colors: Mapping[str, Rgb]) -> None:
    geometry = ElementTree.Element("mesh", filename=file)
    if wedge.visible:
        _add_visual(link, geometry, np.zeros(3), (0.0, 0.0, 0.0), wedge.color, colors)
    collision = ElementTree.SubElement(link, "collision")
    ElementTree.SubElement(collision, "geometry").append(geometry)


def _add_visual(
    link: ElementTree.Element,
    geometry: ElementTree.Element,
    center: NDArray[np.float64],
    turn: Sequence[float],
    color: str,
    colors: Mapping[str, Rgb],
) -> None:
    visual = ElementTree.SubElement(link, "visual")
    _add_origin(visual, center, turn)
    ElementTree.SubElement(visual, "geometry").append(geometry)
    material = ElementTree.SubElement(visual, "material", name=color)
    ElementTree.SubElement(material, "color", rgba=_text((*colors[color], 1.0)))


def _add_origin(element: ElementTree.Element, xyz: NDArray[np.float64], rpy: Sequence[float] | NDArray[np.float64]) -> None:
    ElementTree.SubElement(element, "origin", xyz=_text(xyz), rpy=_text(rpy))


def _text(values: Sequence[float] | NDArray[np.float64]) -> str:
    return " ".join(f"{float(v):.9g}" for v in values)
