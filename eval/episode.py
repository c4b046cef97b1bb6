"""The one description of an episode that plans, workers, records and worlds share."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property

from pydantic import BaseModel, ConfigDict

Vec2 = tuple[float, float]
Vec4 = tuple[float, float, float, float]
DRAWERS = ("top", "middle", "bottom")
"""In the order of the cabinet's joints."""


class ObjectSpec(BaseModel):
    """An object and where it starts to fall from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """Folder name under ``data/custom/models``."""
    role: str
    """``target``, ``distractor``, ``source``, ``goal``, ``other``, or ``fixture`` for what stands still."""
    xy: Vec2
    """World position, m."""
    z: float
    """Height the object is dropped from, m."""
    quat: Vec4
    """Start orientation, w x y z."""
    density: float
    """kg/m3."""


class CabinetSpec(BaseModel):
    """A cabinet of drawers and how far they are open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    station: str
    """Stem of the cabinet file under ``data/custom``."""
    drawer: str
    """The drawer of the task, one of ``DRAWERS``."""
    qpos: tuple[float, ...]
    """m, openings in the order of ``DRAWERS``."""
    joint_friction: float


class EpisodeSpec(BaseModel):
    """Everything that fixes one episode of one world. Frozen; survives a JSON round trip unchanged.

    ``id`` is a hash of the content, so the same episode has the same id in every suite, shard, host and year. What does
    not change the world (policy, workers, video) is not in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    task: str
    setting: str
    """``visual_matching``, ``variant_aggregation``, ``alt_urdf``, ``robot_ablation`` or ``prepackaged``."""
    variant: str
    """Name of the sweep variant, e.g. ``horizontal/urdf=recolor_sim``; one variant = one row of a table."""
    index: int
    """Number of the episode within its variant."""

    robot: str
    """Robot uid of the original, e.g. ``google_robot_static`` or ``widowx``."""
    control_freq: int
    sim_freq: int
    max_steps: int

    scene: str
    """Stage name, e.g. ``google_pick_coke_can_1_v4``."""
    lighting: str
    """Name of a light set of the task's family, e.g. ``default``."""
    overlay: str | None
    """Photo relative to the pack's ``data`` folder, or None."""
    urdf_version: str
    """Colour variant of the robot; "" is the plain one."""
    shader: str
    disable_bad_material: bool

    robot_xy: Vec2
    robot_height: float
    robot_quat: Vec4
    robot_qpos: tuple[float, ...]
    """rad, in the URDF's depth-first joint order."""

    objects: tuple[ObjectSpec, ...]
    seed: int
    """Episode seed the draws came from (chain of the original if none was given)."""
    instruction: str
    """Instruction at the first step."""
    later_instructions: tuple[str, ...] = ()
    """Instructions of the further subtasks."""
    cabinet: CabinetSpec | None = None
    matte_objects: bool = False
    """The objects' materials lose gloss and metal."""

    @cached_property
    def id(self) -> str:
        """First 16 hex digits of a BLAKE2b over the canonical JSON."""
        # Fields with a default came later: left out while they say nothing, they leave older ids as they were.
        content = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def robot_family(self) -> str:
        """``google_robot`` or ``widowx``."""
        return "google_robot" if "google_robot" in self.robot else "widowx"
