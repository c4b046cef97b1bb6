"""Reset options in the original's vocabulary."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from task_configs.schema.parsing import StrictModel, parse
from task_configs.schema.tasks import Quat, Vec2


class RobotOptions(StrictModel):
    """Start of the robot; what is not given keeps its default."""

    init_xy: Vec2 | None = None
    init_height: float | None = None
    init_rot_quat: Quat | None = None
    qpos: tuple[float, ...] | None = None


class DistractorOptions(StrictModel):
    """Start of one distractor."""

    init_xy: Vec2 | None = None
    init_rot_quat: Quat | None = None


class ObjectOptions(StrictModel):
    """Start of the objects."""

    init_xy: Vec2 | None = None
    init_z: float | None = None
    """m, height of the surface that the object falls on; it starts 0.5 m above."""
    init_rot_quat: Quat | None = None
    orientation: str | None = None
    init_rand_rot_z: bool = False
    init_rand_axis_rot_range: float = 0.0
    """rad."""
    episode_id: int | None = Field(default=None, ge=0)
    cabinet_init_qpos: float | tuple[float, ...] | None = None
    """m; opening of the task's drawer, or of all three from top to bottom."""


class ResetOptions(StrictModel):
    """Options of one reset. ``reconfigure`` is accepted and means nothing here: the result is the same scene."""

    robot_init_options: RobotOptions = RobotOptions()
    obj_init_options: ObjectOptions = ObjectOptions()
    distractor_obj_init_options: dict[str, DistractorOptions] = Field(default_factory=dict)
    model_id: str | None = None
    reconfigure: bool = False


def read_options(options: Mapping[str, object] | None) -> ResetOptions:
    """Options as given to ``reset`` (arrays allowed). Raises UserError for unknown keys and wrong types."""
    return parse(ResetOptions, _plain(options or {}), "reset options")


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
