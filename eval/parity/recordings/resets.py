"""Recorded resets: what must be exact, and where the objects settle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eval.assets.resolver import Assets
from eval.episode import EpisodeSpec
from eval.sim.settled_states import settled_objects
from eval.sim.settling import Settled
from eval.sim.world import World
from task_configs import robots

SETTLED_SPEED = 2e-3
"""m/s; objects that are faster when the recorded reset ends still roll and are reported apart."""
MILLIMETRES, DEGREES = 1.0, 1.0
NUDGES = (1e-6, -1e-6, 1e-5)
"""m, changes of all start heights; 1e-6 is a few float32 steps."""

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
    undecided: int = 0
    """Of ``misses``: objects that end as far from where they do when all start heights change by a ``NUDGES``."""

    def add(self, spec: EpisodeSpec, facts: Mapping[str, Any], arrays: Arrays, assets: Assets) -> None:
        """Compare one reset; ``arrays`` without its prefix."""
        base = np.concatenate([[*spec.robot_xy, spec.robot_height], spec.robot_quat])
        self._exact(base, arrays["robot_base"])
        self._exact(np.array(spec.robot_qpos), arrays["robot_qpos"])
        if spec.cabinet is not None:
            self._exact(np.array(spec.cabinet.qpos), arrays["art0_qpos"])
        start = arrays["settle_pose"][0, 0] if "settle_pose" in arrays else None
        settled = self.add_objects(spec, facts["actor_names"], start, arrays["actor_pose"], arrays["actor_vel"], assets)
        self._camera(spec, settled, arrays, assets)
        urdf = facts.get("urdf_version") or ""
        photo = facts.get("overlay_image_used")
        same_photo = (spec.overlay or "").rpartition("/")[2] == (photo or "")
        self.texts_wrong += int(facts["instruction"] != spec.instruction) + int(urdf != spec.urdf_version)
        self.texts_wrong += int(photo is not None and not same_photo)

    def add_objects(
        self,
        spec: EpisodeSpec,
        names: Sequence[str],
        start: NDArray[Any] | None,
        poses: NDArray[Any],
        velocities: NDArray[Any],
        assets: Assets,
    ) -> Sequence[Settled]:
        """Compare where the objects of one reset settle; returns their settled states.

        names: recorded actors; start (A, 7): where they were dropped, if recorded; poses (A, 7), velocities (A, 6): after.
        """
        settled = settled_objects(spec, assets)
        self.resets += 1
        missed = []
        for number, (item, state) in enumerate(zip(spec.objects, settled, strict=True)):
            i = list(names).index(item.model)
            if start is not None and item.role != "distractor":
                self._exact(np.concatenate([[*item.xy, item.z], item.quat]), start[i])
            if self._object(state.pose, poses[i], velocities[i]):
                missed.append(number)
        if missed:
            self.undecided += _undecided(assets, spec, [state.pose for state in settled], missed)
        return settled

    def _exact(self, own: NDArray[Any], recorded: NDArray[Any]) -> None:
        self.exact = max(self.exact, float(np.abs(own - recorded).max()))

    def _object(self, own: NDArray[Any], recorded: NDArray[Any], velocity: NDArray[Any]) -> bool:
        """File one object; whether it is a miss."""
        distance, degrees = _apart(own, recorded)
        if float(np.linalg.norm(velocity[:3])) >= SETTLED_SPEED:
            self.rolling.append(distance)
            return False
        self.settled.append((distance, degrees))
        return _is_miss(distance, degrees)

    def _camera(self, spec: EpisodeSpec, settled: Sequence[Settled], arrays: Arrays, assets: Assets) -> None:
        uid = robots()[spec.robot].camera.uid
        world = World(assets, render=False)
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
        return sum(_is_miss(mm, deg) for mm, deg in self.settled)


def _undecided(assets: Assets, spec: EpisodeSpec, poses: list[NDArray[Any]], missed: list[int]) -> int:
    """Number of ``missed`` objects that some nudge moves by more than the limits: where they end is chance."""
    moved: set[int] = set()
    for nudge in NUDGES:
        higher = tuple(item.model_copy(update={"z": item.z + nudge}) for item in spec.objects)
        again = settled_objects(spec.model_copy(update={"objects": higher}), assets)
        moved |= {n for n in missed if _is_miss(*_apart(again[n].pose, poses[n]))}
    return len(moved)


def _apart(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
    """(mm, degrees) between two poses."""
    first, second = (Rotation.from_quat(np.roll(pose[3:], -1)) for pose in (a, b))
    return float(np.linalg.norm(a[:3] - b[:3])) * 1e3, float(np.degrees((first.inv() * second).magnitude()))


def _is_miss(mm: float, degrees: float) -> bool:
    return mm > MILLIMETRES or degrees > DEGREES
