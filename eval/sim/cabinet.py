"""The cabinet of the drawer tasks: an articulation of three drawers on rails (docs/simpler.md 9.3)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import sapien
from numpy.typing import ArrayLike, NDArray
from sapien import physx

from eval.episode import DRAWERS
from eval.sim.urdf import urdf_loader

POSE = sapien.Pose([-0.295, 0.0, 0.017])
JOINT_DAMPING = 1.0
"""N s/m; the rails have no spring."""
FLOOR_SHAPE = 2
"""Number of the drawer's floor among its collision shapes (docs/simpler.md, tasks 4)."""


class Cabinet:
    """Drawers are called ``top``, ``middle`` and ``bottom``; openings in m, in the order of ``DRAWERS``."""

    def __init__(self, articulation: physx.PhysxArticulation) -> None:
        self.articulation = articulation
        self.links = {link.name: link for link in articulation.links}
        names = [joint.name for joint in articulation.active_joints]
        self._order = [names.index(f"{drawer}_drawer_joint") for drawer in DRAWERS]

    def set_state(self, qpos: ArrayLike, qvel: ArrayLike = (0.0, 0.0, 0.0)) -> None:
        """(3,) openings [m] and speeds [m/s]."""
        for setter, values in ((self.articulation.set_qpos, qpos), (self.articulation.set_qvel, qvel)):
            ordered = np.zeros(len(DRAWERS), dtype=np.float32)
            ordered[self._order] = np.asarray(values)
            setter(ordered)

    @property
    def qpos(self) -> NDArray[np.float32]:
        """(3,) openings, m."""
        return np.asarray(self.articulation.qpos, dtype=np.float32)[self._order]

    @property
    def qvel(self) -> NDArray[np.float32]:
        """(3,) speeds, m/s."""
        return np.asarray(self.articulation.qvel, dtype=np.float32)[self._order]

    @property
    def openings(self) -> Mapping[str, float]:
        """m by drawer."""
        return dict(zip(DRAWERS, map(float, self.qpos), strict=True))

    def floor(self, drawer: str) -> physx.PhysxCollisionShape:
        """The floor inside a drawer."""
        return self.links[f"{drawer}_drawer"].collision_shapes[FLOOR_SHAPE]

    def frame(self, drawer: str) -> sapien.Pose:
        """World pose of a drawer's frame: its front panel stands 0.305 m along x from there."""
        return self.links[f"{drawer}_drawer"].entity_pose


def load_cabinet(scene: sapien.Scene, urdf: Path, joint_friction: float, render: bool) -> Cabinet:
    """Add the cabinet, all drawers closed. Masses follow from its boxes, as nothing else is given (docs/simpler.md Q6)."""
    builder = urdf_loader(scene, render).load_file_as_articulation_builder(str(urdf))
    articulation = builder.build(fix_root_link=True)
    articulation.set_name("cabinet")
    articulation.root_pose = POSE
    for joint in articulation.active_joints:
        joint.set_friction(joint_friction)
        joint.set_drive_properties(0.0, JOINT_DAMPING)
        joint.set_drive_target(0.0)
    cabinet = Cabinet(articulation)
    cabinet.set_state((0.0, 0.0, 0.0))
    return cabinet
