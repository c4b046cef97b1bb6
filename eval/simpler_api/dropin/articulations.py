"""Robot and cabinet under SAPIEN 2's names, in its order of joints and links."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from eval.episode import DRAWERS, EpisodeSpec
from eval.sim.cabinet import Cabinet
from eval.sim.robots.geometry import robot_geometry
from eval.simpler_api.dropin.views import Float32, Joint, Link, Scene, View

if TYPE_CHECKING:
    import sapien


class Articulation(View, ABC):
    """What robot and cabinet have in common. n = joints that move; angles in rad, lengths in m."""

    what = "articulation"

    _scene: Scene

    def __init__(self, scene: Scene, **fields: object) -> None:
        super().__init__(_scene=scene, **fields)

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the articulation."""

    @property
    @abstractmethod
    def pose(self) -> sapien.Pose:
        """World pose of the root link."""

    @abstractmethod
    def get_qpos(self) -> Float32:
        """(n,) sensed positions."""

    @abstractmethod
    def get_qvel(self) -> Float32:
        """(n,) sensed velocities."""

    @abstractmethod
    def get_qlimits(self) -> Float32:
        """(n, 2) least and greatest position."""

    @abstractmethod
    def get_active_joints(self) -> list[Joint]:
        """The joints that move, in the order of ``get_qpos``."""

    @abstractmethod
    def get_links(self) -> list[Link]:
        """All links, depth first."""

    @property
    def dof(self) -> int:
        """Number of joints that move."""
        return len(self.get_qpos())

    @property
    def root_pose(self) -> sapien.Pose:
        """See ``pose``."""
        return self.pose

    def get_name(self) -> str:
        """See ``name``."""
        return self.name

    def get_pose(self) -> sapien.Pose:
        """See ``pose``."""
        return self.pose

    def get_root_pose(self) -> sapien.Pose:
        """See ``pose``."""
        return self.pose


class RobotView(Articulation):
    """The robot."""

    what = "robot"

    _spec: Callable[[], EpisodeSpec]

    def __init__(self, scene: Scene, spec: Callable[[], EpisodeSpec]) -> None:
        super().__init__(scene, _spec=spec)

    @property
    def name(self) -> str:
        """Name of the robot file, without its ending."""
        urdf_version = self._spec().urdf_version
        return FILES[self._scene().config.family] + (f"_{urdf_version}" if urdf_version else "")

    @property
    def pose(self) -> sapien.Pose:
        """World pose of the base link."""
        return self._scene().robot.articulation.root_pose

    def get_qpos(self) -> Float32:
        """(n,) sensed positions, depth first as in SAPIEN 2 (docs/simpler.md Q2)."""
        return self._scene().robot.qpos

    def get_qvel(self) -> Float32:
        """(n,) sensed velocities."""
        return self._scene().robot.qvel

    def get_qlimits(self) -> Float32:
        """(n, 2) least and greatest position."""
        robot = self._scene().robot
        return np.stack([robot.lower, robot.upper], axis=1)

    def get_active_joints(self) -> list[Joint]:
        """The joints that move, in the order of ``get_qpos``."""
        names = self._scene().robot.joint_names
        return [Joint(name, limits) for name, limits in zip(names, self.get_qlimits(), strict=True)]

    def get_links(self) -> list[Link]:
        """All links, depth first."""
        return [self.link(name) for name in robot_geometry(self._scene().config.family).links]

    def link(self, name: str) -> Link:
        """A link by name."""
        return Link(lambda: self._scene().robot.links[name].entity, name)


FILES = {"google_robot": "google_robot_meta_sim_fix_wheel_fix_fingertip", "widowx": "wx250s"}


class CabinetView(Articulation):
    """The cabinet of the drawer tasks."""

    what = "cabinet"

    @property
    def name(self) -> str:
        """Name of the articulation."""
        return "cabinet"

    @property
    def pose(self) -> sapien.Pose:
        """World pose of the body."""
        return self._cabinet.articulation.root_pose

    def get_qpos(self) -> Float32:
        """(3,) m, how far each drawer is open."""
        return self._cabinet.qpos

    def get_qvel(self) -> Float32:
        """(3,) m/s."""
        return self._cabinet.qvel

    def get_qlimits(self) -> Float32:
        """(3, 2) m."""
        return np.array(self._cabinet.articulation.qlimits, dtype=np.float32)

    def get_active_joints(self) -> list[Joint]:
        """The rails of the drawers from top to bottom."""
        names = [f"{drawer}_drawer_joint" for drawer in DRAWERS]
        return [Joint(name, limits) for name, limits in zip(names, self.get_qlimits(), strict=True)]

    def get_links(self) -> list[Link]:
        """The body, then the drawers from top to bottom."""
        return [self.link(name) for name in ("body", *(f"{drawer}_drawer" for drawer in DRAWERS))]

    def link(self, name: str) -> Link:
        """A link by name."""
        return Link(lambda: self._cabinet.links[name].entity, name)

    @property
    def _cabinet(self) -> Cabinet:
        cabinet = self._scene().cabinet
        assert cabinet is not None
        return cabinet
