"""Recorded resets: what must be exact, and where the objects settle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eval.envs.assets import Assets
from eval.envs.world import World
from eval.episode import EpisodeSpec
from task_configs import robots

SETTLED_SPEED = 2e-3
"""m/s; objects that are faster when the recorded reset ends still roll and are reported apart."""
MILLIMETRES, DEGREES = 1.0, 1.0

Arrays = Mapping[str, NDArray[Any]]


@dataclass
class ResetDifferences:
    """Worst differences of the resets of one key."""

    exact: float = 0.0
    """m, quaternion or rad; robot joints, base, object start poses."""
    camera: float = 0.0
    texts_wrong: int = 0
    """Instructions, colours and photos that differ."""
    resets: int = 0
    settled: list[tuple[float, float]] = field(default_factory=list)
    """(mm, degrees) of every object that lies still in the recording."""
    rolling: list[float] = field(default_factory=list)
    """mm of every object that does not."""

    def add(self, spec: EpisodeSpec, facts: Mapping[str, Any], arrays: Arrays, assets: Assets) -> None:
        """Compare one reset; ``arrays`` without its prefix."""
        world = World(spec, assets, render=False)
        settled = world.settle(spec)
        self.resets += 1
        base = np.concatenate([[*spec.robot_xy, spec.robot_height], spec.robot_quat])
        self._exact(base, arrays["robot_base"])
        self._exact(np.array(spec.robot_qpos), arrays["robot_qpos"])
        names = list(facts["actor_names"])
        for item, state in zip(spec.objects, settled, strict=True):
            i = names.index(item.model)
            start = arrays.get("settle_pose")
            if start is not None and item.role != "distractor":
                self._exact(np.concatenate([[*item.xy, item.z], item.quat]), start[0, 0, i])
            self._object(state.pose, arrays["actor_pose"][i], arrays["actor_vel"][i])
        self._camera(world, spec, settled, arrays)
        urdf = facts.get("urdf_version") or ""
        photo = facts.get("overlay_image_used")
        same_photo = (spec.overlay or "").rpartition("/")[2] == (photo or "")
        self.texts_wrong += int(facts["instruction"] != spec.instruction) + int(urdf != spec.urdf_version)
        self.texts_wrong += int(photo is not None and not same_photo)

    def _exact(self, own: NDArray[Any], recorded: NDArray[Any]) -> None:
        self.exact = max(self.exact, float(np.abs(own - recorded).max()))

    def _object(self, own: NDArray[Any], recorded: NDArray[Any], velocity: NDArray[Any]) -> None:
        distance = float(np.linalg.norm(own[:3] - recorded[:3])) * 1e3
        if float(np.linalg.norm(velocity[:3])) >= SETTLED_SPEED:
            self.rolling.append(distance)
            return
        a, b = (Rotation.from_quat(q, scalar_first=True) for q in (own[3:], recorded[3:]))
        self.settled.append((distance, float(np.degrees((a.inv() * b).magnitude()))))

    def _camera(self, world: World, spec: EpisodeSpec, settled: Any, arrays: Arrays) -> None:
        uid = robots()[spec.robot].camera.uid
        world.begin(spec, settled)
        intrinsic, extrinsic = world.camera_matrices()
        if f"cam.{uid}.intrinsic_cv" in arrays:
            self.camera = max(
                self.camera,
                float(np.abs(extrinsic - arrays[f"cam.{uid}.extrinsic_cv"]).max()),
                float(np.abs(intrinsic - arrays[f"cam.{uid}.intrinsic_cv"]).max()),
            )

    @property
    def misses(self) -> int:
        """Objects at rest that lie more than 1 mm or 1 degree off."""
        return sum(mm > MILLIMETRES or deg > DEGREES for mm, deg in self.settled)
