"""Links, joints and inertias of a robot as the original simulator holds them (``task_configs/robots/*.json``)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class LinkData:
    """Mass properties of a link."""

    name: str
    mass: float
    inertia: tuple[float, float, float]
    """kg m2, principal moments."""
    com_p: tuple[float, float, float]
    com_q: tuple[float, float, float, float]
    """w x y z, orientation of the principal axes in the link frame."""


@dataclass(frozen=True)
class JointData:
    """A joint; its frame has the axis along x. Angles in rad, lengths in m."""

    name: str
    type: str
    """``fixed``, ``revolute`` or ``prismatic``."""
    parent: str
    child: str
    limits: tuple[float, float] | None
    ik_origin_xyz: tuple[float, float, float]
    ik_origin_rpy: tuple[float, float, float]
    ik_child_xyz: tuple[float, float, float]
    ik_child_rpy: tuple[float, float, float]


@dataclass(frozen=True)
class RobotGeometry:
    """A robot's tree. Links and joints are listed depth first, as SAPIEN 2.2.2 numbers them (spec Q2)."""

    links: tuple[str, ...]
    link_data: tuple[LinkData, ...]
    joints: tuple[JointData, ...]
    tool_link: str

    @property
    def root_link(self) -> str:
        """Link that stands on the floor."""
        return self.links[0]

    @property
    def active_joints(self) -> tuple[JointData, ...]:
        """Joints that move; their order is the order of every ``qpos`` of ours."""
        return tuple(joint for joint in self.joints if joint.type != "fixed")


@cache
def robot_geometry(family: str) -> RobotGeometry:
    """Geometry of ``google_robot`` or ``widowx``."""
    text = resources.files("task_configs").joinpath(f"robots/{family}.json").read_text()
    data = json.loads(text)
    return geometry_from_json(data)


def geometry_from_json(data: dict) -> RobotGeometry:  # type: ignore[type-arg]
    links = tuple(link["name"] for link in data["links"])

    def name(ref: int | str) -> str:
        return links[ref] if isinstance(ref, int) else ref

    def three(values: list[float]) -> tuple[float, float, float]:
        return values[0], values[1], values[2]

    joints = tuple(
        JointData(
            name=j["name"],
            type=j["type"],
            parent=name(j["parent"]),
            child=name(j["child"]),
            limits=tuple(j["limits"]) if j.get("limits") else None,
            ik_origin_xyz=three(j["ik_origin_xyz"]),
            ik_origin_rpy=three(j["ik_origin_rpy"]),
            ik_child_xyz=three(j["ik_child_xyz"]),
            ik_child_rpy=three(j["ik_child_rpy"]),
        )
        for j in data["joints"]
        if j.get("parent", 0) not in (-1, None) and "ik_origin_xyz" in j
    )
    link_data = tuple(
        LinkData(link["name"], link["mass"], tuple(link["inertia"]), tuple(link["com_p"]), tuple(link["com_q"]))
        for link in data["links"]
    )
    return RobotGeometry(links, link_data, joints, data["ee_link"])
