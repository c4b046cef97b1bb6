"""A robot in the simulator, addressed in the original's joint order.

SAPIEN 2.2.2 numbers joints depth first, SAPIEN 3 breadth first (docs/simpler.md Q2): every qpos of ours is depth first and is
permuted by joint name here, and only here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import sapien
from numpy.typing import NDArray
from sapien import physx

from eval.sim.robots.geometry import RobotGeometry
from eval.sim.urdf import urdf_loader
from task_configs.schema.world import LinkMaterial
from task_configs.schema.world import Robot as RobotConfig

Float32 = NDArray[np.float32]


def link_materials(config: RobotConfig) -> dict[str, LinkMaterial]:
    """Contact material of every link that does not have the scene's default."""
    grip = config.finger_friction
    fingers = LinkMaterial(links=config.finger_links, static=grip, dynamic=grip, patch_radius=config.finger_patch_radius)
    return {link: material for material in (*config.materials, fingers) for link in material.links}


class Robot:
    """A fixed-base articulation; n = active joints. Angles in rad, lengths in m."""

    def __init__(self, articulation: physx.PhysxArticulation, geometry: RobotGeometry) -> None:
        self.articulation = articulation
        self.geometry = geometry
        engine = [joint.name for joint in articulation.active_joints]
        ours = [joint.name for joint in geometry.active_joints]
        if sorted(engine) != sorted(ours):
            raise ValueError(f"the robot file has the joints {sorted(engine)}, expected {sorted(ours)}")
        self._to_engine = np.array([ours.index(name) for name in engine])
        self._to_ours = np.array([engine.index(name) for name in ours])
        self.joints = [articulation.active_joints[i] for i in self._to_ours]
        self.joint_names = ours
        limits = np.array([joint.limits for joint in geometry.active_joints], dtype=np.float32)
        self.lower, self.upper = limits[:, 0], limits[:, 1]
        self.links = {link.name: link for link in articulation.links}
        self.tool = self.links[geometry.tool_link]
        self._set_mass_properties()

    def _set_mass_properties(self) -> None:
        """The original's own numbers: 3.0.3 computes some inertias better than 2.2.2 did, and ours must not."""
        for data in self.geometry.link_data:
            link = self.links.get(data.name)
            if link is None:
                raise ValueError(f"the robot file has no link {data.name}")
            link.mass = data.mass
            link.cmass_local_pose = sapien.Pose(data.com_p, data.com_q)
            link.inertia = data.inertia

    def index(self, joint_name: str) -> int:
        """Position of a joint in our order."""
        return self.joint_names.index(joint_name)

    @property
    def qpos(self) -> Float32:
        """(n,) sensed joint positions."""
        return np.asarray(self.articulation.qpos[self._to_ours], dtype=np.float32)

    @property
    def qvel(self) -> Float32:
        """(n,) sensed joint velocities."""
        return np.asarray(self.articulation.qvel[self._to_ours], dtype=np.float32)

    def set_state(self, qpos: Sequence[float] | NDArray[np.floating], qvel: NDArray[np.floating] | None = None) -> None:
        """Put the joints there; velocities (default zero) and forces are reset."""
        zeros = np.zeros(len(self.joints), dtype=np.float32)
        self.articulation.qpos = np.asarray(qpos, dtype=np.float32)[self._to_engine]
        self.articulation.qvel = zeros if qvel is None else np.asarray(qvel, dtype=np.float32)[self._to_engine]
        self.articulation.qf = zeros

    def set_root(self, pose: sapien.Pose) -> None:
        """Stand the robot there."""
        self.articulation.root_pose = pose

    def tool_pose(self) -> sapien.Pose:
        """Sensed tool pose in the base frame."""
        return self.articulation.root_pose.inv() * self.tool.entity_pose

    def set_drives(self, stiffness: Sequence[float], damping: Sequence[float], force_limit: Sequence[float]) -> None:
        """Position drives of all joints, in our order (mode "force", joint friction 0)."""
        for joint, k, d, limit in zip(self.joints, stiffness, damping, force_limit, strict=True):
            joint.set_drive_properties(k, d, limit, "force")
            joint.friction = 0.0


def load_robot(
    scene: sapien.Scene,
    urdf: Path,
    geometry: RobotGeometry,
    materials: Mapping[str, LinkMaterial],
    render: bool,
) -> Robot:
    """Load a robot file into ``scene``; ``materials`` by link name, all other links take the scene default."""
    loader = urdf_loader(scene, render)
    loader.load_multiple_collisions_from_file = True
    for link, material in materials.items():
        loader.set_link_material(link, material.static, material.dynamic, 0.0)
        loader.set_link_patch_radius(link, material.patch_radius)
        loader.set_link_min_patch_radius(link, material.patch_radius)
    builder = loader.load_file_as_articulation_builder(str(urdf))
    builder.mimic_joint_records = []  # ignored by 2.2.2, a stiff tendon in 3.0.3 (docs/simpler.md Q5)
    sapien.set_log_level("error")  # else a warning a mesh: STL files in several pieces, which we mean to load so
    try:
        return Robot(builder.build(), geometry)
    finally:
        sapien.set_log_level("warning")
