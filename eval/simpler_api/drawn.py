"""What a reset fixes, and the parts of it that all task families draw alike (spec tasks 0)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.episode import CabinetSpec, ObjectSpec
from eval.errors import UserError, did_you_mean
from eval.simpler_api.options import ObjectOptions, ResetOptions
from eval.simpler_api.seeds import choose
from task_configs import Setup, objects
from task_configs.schema.tasks import Box2, Vec2, Vec4

TABLE_HEIGHT = 0.87
DROP_HEIGHT = 0.5
"""m above the table."""

DROPPED_WORDS = {"opened", "light", "generated", "modified", "objaverse", "bridge", "baked", "v2"}


@dataclass(frozen=True)
class Drawn:
    """What a reset fixed, and the generator where the objects' draws left it."""

    objects: tuple[ObjectSpec, ...]
    setup: Setup
    """With what was drawn of it: colours, and with a photo the robot's place."""
    instruction: str
    rng: np.random.RandomState
    cabinet: CabinetSpec | None = None
    later_instructions: tuple[str, ...] = ()
    matte_objects: bool = False


def instruction_name(model: str) -> str:
    """Name of an object in instructions: ``baked_opened_7up_can_v2`` -> ``7up can`` (spec tasks 0.4)."""
    return " ".join(word for word in model.split("_") if word not in DROPPED_WORDS and not word.endswith("cm"))


def draw_colours(setup: Setup, rng: np.random.RandomState) -> Setup:
    """The setup with its colours drawn, if it leaves a choice."""
    if not setup.urdf_choices:
        return setup
    return setup.model_copy(update={"urdf_version": choose(setup.urdf_choices, rng)})


def draw_target(options: ResetOptions, setup: Setup, targets: tuple[str, ...], table: str, rng: np.random.RandomState) -> str:
    """Model of the target; nothing is drawn where there is only one. Raises UserError for an unknown one."""
    if options.model_id is None:
        return choose(setup.targets or targets, rng)
    if options.model_id not in objects(table):
        raise UserError(f'No object "{options.model_id}".{did_you_mean(options.model_id, objects(table))}')
    return options.model_id


def draw_spot(wanted: ObjectOptions, area: Box2, rng: np.random.RandomState) -> Vec2:
    """World position [m] in the area, unless the options give one."""
    return wanted.init_xy or pair(rng.uniform(area.low, area.high))


def draw_turn(wanted: ObjectOptions, quat: Vec4, rng: np.random.RandomState) -> Vec4:
    """The start rotation w x y z with the random turns that the options ask for."""
    if wanted.init_rand_rot_z:
        quat = multiply(about((0.0, 0.0, 1.0), rng.uniform(0, 2 * math.pi)), quat)
    if wanted.init_rand_axis_rot_range > 0:
        axis = rng.uniform(-1, 1, 3)
        axis = axis / max(float(np.linalg.norm(axis)), 1e-6)
        quat = multiply(quat, about(axis, rng.uniform(0, wanted.init_rand_axis_rot_range)))
    return quat


def start_height(options: ResetOptions) -> float:
    """m; objects start to fall from there."""
    surface = options.obj_init_options.init_z
    return (TABLE_HEIGHT if surface is None else surface) + DROP_HEIGHT


def placed(table: str, model: str, role: str, xy: Vec2, z: float, quat: Vec4, density: float | None = None) -> ObjectSpec:
    """An object with the density of its table unless another is given, kg/m3."""
    if density is None:
        density = objects(table)[model].density
    return ObjectSpec(model=model, role=role, xy=xy, z=z, quat=quat, density=density, size=objects(table)[model].size)


def pair(values: NDArray[np.float64]) -> Vec2:
    """Two numbers as plain floats."""
    x, y = (float(value) for value in values)
    return x, y


def about(axis: tuple[float, float, float] | NDArray[np.float64], angle: float) -> Vec4:
    """Quaternion w x y z of a rotation by ``angle`` [rad] about a unit axis."""
    sine = math.sin(angle / 2)
    return math.cos(angle / 2), float(axis[0]) * sine, float(axis[1]) * sine, float(axis[2]) * sine


def multiply(a: Vec4, b: Vec4) -> Vec4:
    """Quaternion of "first b, then a"; w x y z."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
