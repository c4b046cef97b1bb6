"""Robots, stages, lights and objects as data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from task_configs.schema.parsing import StrictModel
from task_configs.schema.tasks import Box2, Quat

Vec3 = tuple[float, float, float]
PerJoint = Annotated[tuple[float, ...], Field(min_length=1)]


class LinkMaterial(StrictModel):
    """Friction of some links; restitution is 0, the least patch radius is the patch radius."""

    links: tuple[str, ...]
    static: float
    dynamic: float
    patch_radius: float
    """m, for torsional friction."""


class Camera(StrictModel):
    """The camera whose image the policy sees; its pose is in the frame of ``link``, x forward, y left, z up."""

    uid: str
    link: str
    position: Vec3
    quat: Quat
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    near: float
    far: float


class Robot(StrictModel):
    """A robot of the original by its uid; lists are in the order of ``joints`` (the URDF's depth-first order)."""

    family: Literal["google_robot", "widowx"]
    urdf: str
    """File stem; a colour variant V appends ``_V``."""
    control_mode: str
    control_freq: Annotated[int, Field(ge=1)]
    sim_freq: Annotated[int, Field(ge=1)]
    default_scene: str
    base_height: float
    base_quat: Quat
    base_xy: Box2
    """Where the base stands if no position is given: sampled where the corners differ, x first."""
    tool_link: str
    joints: tuple[str, ...]
    arm_joints: tuple[str, ...]
    """Joints the arm controller owns (Google: with the head)."""
    gripper_joints: tuple[str, ...]
    qpos: PerJoint
    stiffness: PerJoint
    damping: PerJoint
    force_limit: PerJoint
    finger_friction: float
    """Static and dynamic."""
    finger_links: tuple[str, ...]
    finger_patch_radius: float
    materials: tuple[LinkMaterial, ...]
    """Of links that have neither the fingers' nor the scene's default material."""
    camera: Camera
    views: dict[str, dict[str, float]]
    """Camera views: joints that start elsewhere."""

    @model_validator(mode="after")
    def _same_length(self) -> Robot:
        for name in ("qpos", "stiffness", "damping", "force_limit"):
            if len(getattr(self, name)) != len(self.joints):
                raise ValueError(f"{name} needs {len(self.joints)} numbers, one per joint")
        named = {*self.arm_joints, *self.gripper_joints, *(joint for view in self.views.values() for joint in view)}
        if named - set(self.joints):
            raise ValueError(f"no such joint: {', '.join(sorted(named - set(self.joints)))}")
        return self

    def start_qpos(self, view: str) -> tuple[float, ...]:
        """(n,) start joint positions [rad, m] of a camera view."""
        return tuple(self.views[view].get(joint, value) for joint, value in zip(self.joints, self.qpos, strict=True))


class Slab(StrictModel):
    """A box that is only seen, on the stage's own frame."""

    half_size: Vec3
    color: Vec3
    """Linear."""


class Scene(StrictModel):
    """A stage: static actor ``arena`` at minus the offset, its mesh at the local pose (quaternion w x y z)."""

    file: str | None = None
    """Relative to the pack's ``data`` folder."""
    slab: Slab | None = None
    """Instead of a file."""
    offset: Vec3
    local_position: Vec3 = (0.0, 0.0, 0.0)
    local_quat: Quat = (1.0, 0.0, 0.0, 0.0)

    @model_validator(mode="after")
    def _file_or_slab(self) -> Scene:
        if (self.file is None) == (self.slab is None):
            raise ValueError("give either file or slab")
        return self


class DirectionalLight(StrictModel):
    """Light that travels along ``direction``; ``color`` is its grey value, linear."""

    direction: Vec3
    color: float
    shadow: bool = False


class LightSet(StrictModel):
    """All light of a scene."""

    ambient: float
    """Grey value, linear."""
    directional: tuple[DirectionalLight, ...]


class ObjectModel(StrictModel):
    """An object's entry in the original's table."""

    bbox_min: Vec3
    bbox_max: Vec3
    density: float
    """kg/m3."""

    @property
    def size(self) -> Vec3:
        """(3,) m, extents along the model's axes."""
        x, y, z = (high - low for low, high in zip(self.bbox_min, self.bbox_max, strict=True))
        return x, y, z
