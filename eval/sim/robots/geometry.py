"""Links, joints and inertias of a robot as the original simulator holds them (``task_configs/robots/*.json``)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation


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
    """A robot's tree. Links and joints are listed depth first, as SAPIEN 2.2.2 numbers them (docs/simpler.md Q2)."""

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
    return _geometry(data)


def _three(values: list[float]) -> tuple[float, float, float]:
    return values[0], values[1], values[2]


def _geometry(data: dict[str, Any]) -> RobotGeometry:
    links = tuple(link["name"] for link in data["links"])
    joints = tuple(
        JointData(
            name=j["name"],
            type=j["type"],
            parent=j["parent"],
            child=j["child"],
            limits=tuple(j["limits"]) if j.get("limits") else None,
            ik_origin_xyz=_three(j["ik_origin_xyz"]),
            ik_origin_rpy=_three(j["ik_origin_rpy"]),
            ik_child_xyz=_three(j["ik_child_xyz"]),
            ik_child_rpy=_three(j["ik_child_rpy"]),
        )
        for j in data["joints"]
    )
    link_data = tuple(
        LinkData(link["name"], link["mass"], tuple(link["inertia"]), tuple(link["com_p"]), tuple(link["com_q"]))
        for link in data["links"]
    )
    return RobotGeometry(links, link_data, joints, data["ee_link"])


def joint_inertia(geometry: RobotGeometry, joint_name: str) -> float:
    """Inertia about a joint's axis of its child link and all that is attached to it, at zero angles.

    kg m2 about the axis of a revolute joint, kg for a prismatic one.
    """
    joint = next(j for j in geometry.joints if j.name == joint_name)
    data = {link.name: link for link in geometry.link_data}
    frames = {joint.child: _matrix(joint.ik_child_xyz, joint.ik_child_rpy)}
    for other in geometry.joints:
        if other.parent in frames:
            origin = _matrix(other.ik_origin_xyz, other.ik_origin_rpy)
            frames[other.child] = frames[other.parent] @ origin @ _matrix(other.ik_child_xyz, other.ik_child_rpy)
    if joint.type == "prismatic":
        return sum(data[name].mass for name in frames)
    total = 0.0
    for name, frame in frames.items():
        link = data[name]
        axes = frame[:3, :3] @ Rotation.from_quat(np.roll(link.com_q, -1)).as_matrix()
        arm = (frame[:3, :3] @ np.array(link.com_p) + frame[:3, 3])[1:]  # distance from the x axis
        total += float(axes[0] ** 2 @ np.array(link.inertia)) + link.mass * float(arm @ arm)
    return total


def _matrix(xyz: tuple[float, float, float], rpy: tuple[float, float, float]) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", rpy).as_matrix()
    matrix[:3, 3] = xyz
    return matrix
