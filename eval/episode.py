"""The one description of an episode that plans, workers, records and worlds share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from task_configs.schema.tasks import FamilyName
from task_configs.schema.world import LightSet

Vec2 = tuple[float, float]
Vec3 = tuple[float, float, float]
Vec4 = tuple[float, float, float, float]
PlacementSet = Literal["published", "heldout", "train"]
"""Which initial states (:mod:`eval.plan.placements`)."""
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
    size: Vec3
    """m, extents along the model's axes, as the original's model table has them; success rules measure with it."""


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


class RuleSpec(BaseModel):
    """Which success rule judges the episode, with the numbers that tasks choose. See ``eval/tasks/``, a file a family."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: FamilyName
    verb: Literal["open", "close"] | None = None
    """Drawers: what is to be done."""
    completely_on_goal: bool | None = None
    """Putting on: success needs the source to touch nothing but the goal and the robot."""
    height_margin: float | None = None
    """Putting on: m, how far above touching the source may be."""


class PhysicsSpec(BaseModel):
    """What the physics of an episode depends on, beside robot, scene and objects."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contact_offset: float
    """m, of convex and primitive shapes."""
    stage_collides: bool
    """Whether the stage is more than something to be seen."""


class SimplerReset(BaseModel):
    """How the original simulator begins an episode: ``gym.make(env_id, **kwargs)``, then ``reset(seed, options)``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env_id: str
    kwargs: dict[str, JsonValue]
    """Without ``obs_mode`` and ``camera_cfgs``, which depend on whether images are rendered; ``rgb_overlay_path``
    is relative to the asset folder."""
    seed: int
    options: dict[str, JsonValue]

    def __hash__(self) -> int:
        """Episodes are hashable, so this is; a dictionary is not."""
        return hash((self.env_id, self.seed))


class EpisodeSpec(BaseModel):
    """Everything that fixes one episode of one world. Frozen; survives a JSON round trip unchanged.

    ``id`` is a hash of the content, so the same episode has the same id in every suite, shard, host and year. What does
    not change the world (policy, workers, video) is not in it. A world reads nothing else: no task file, no suite.
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
    """Episode seed that whatever is random was sampled with (chain of the original if none was given)."""
    instruction: str
    """Instruction at the first step."""
    later_instructions: tuple[str, ...] = ()
    """Instructions of the further subtasks."""
    cabinet: CabinetSpec | None = None
    matte_objects: bool = False
    """The objects' materials lose gloss and metal."""
    rule: RuleSpec
    physics: PhysicsSpec
    lights: LightSet
    """What ``lighting`` means for this task."""
    hidden: tuple[str, ...] = ()
    """Objects that the overlay shows itself and the render must not cover."""
    version: Literal[1, 2] = 2
    """Of the id: 1 was a hash over the fields that existed then. Episodes of different versions are never mixed."""
    placements: PlacementSet = "published"
    """The set of initial states that it is of."""
    simpler_reset: SimplerReset | None = Field(default=None, repr=False)
    """The same episode in the original simulator, filled in by the plan; None where it has none. Not part of the id."""

    @cached_property
    def id(self) -> str:
        """``v2-`` and 16 hex digits of a BLAKE2b over the canonical JSON; version 1 had no prefix."""
        left_out: dict[str, Any] = {"version": True, "simpler_reset": True}
        if self.version == 1:
            left_out |= {"rule": True, "physics": True, "lights": True, "hidden": True, "objects": {"__all__": {"size"}}}
        # Fields with a default came later: left out while they say nothing, they leave older ids as they were.
        content = self.model_dump(mode="json", exclude=left_out, exclude_defaults=True)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        return digest if self.version == 1 else f"v{self.version}-{digest}"

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Pydantic's, with an id of its own: what differs is another episode."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("id", None)
        return copied

    @property
    def robot_family(self) -> str:
        """``google_robot`` or ``widowx``."""
        return "google_robot" if "google_robot" in self.robot else "widowx"
