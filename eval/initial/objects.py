"""Where objects start to fall from, family by family (spec tasks 0.3, 1 and 6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.episode import ObjectSpec
from eval.errors import UserError, did_you_mean
from eval.initial.options import DistractorOptions, ResetOptions
from eval.initial.seeds import choose, fresh
from task_configs import GraspTask, PutOnTask, Setup, objects
from task_configs.models import Vec2, Vec4

TABLE_HEIGHT = 0.87
DROP_HEIGHT = 0.5
"""m above the table."""

DISTRACTOR_REACH = 0.3
"""m, half side of the square around the target from which distractors are drawn."""
DISTRACTOR_LOW, DISTRACTOR_HIGH = (-0.50, 0.05), (-0.10, 0.35)
DISTRACTOR_CLEARANCE = 0.25
"""m, least distance to the target."""

DROPPED_WORDS = {"opened", "light", "generated", "modified", "objaverse", "bridge", "baked", "v2"}


@dataclass(frozen=True)
class Drawn:
    """What a reset fixed: the objects, and the generator where the objects' draws left it."""

    objects: tuple[ObjectSpec, ...]
    urdf_version: str
    instruction: str
    rng: np.random.RandomState


def instruction_name(model: str) -> str:
    """Name of an object in instructions: ``baked_opened_7up_can_v2`` -> ``7up can`` (spec tasks 0.4)."""
    return " ".join(word for word in model.split("_") if word not in DROPPED_WORDS and not word.endswith("cm"))


def draw_grasp(task: GraspTask, setup: Setup, seed: int, options: ResetOptions) -> Drawn:
    """Target and distractors of a grasp episode. Raises UserError for unknown models and orientations."""
    wanted = options.obj_init_options
    start_quat = wanted.init_rot_quat or _orientation(task, wanted.orientation or setup.orientation, seed)
    rng = fresh(seed)
    if options.model_id is not None and options.model_id not in objects(task.object_table):
        raise UserError(f'No object "{options.model_id}".{did_you_mean(options.model_id, objects(task.object_table))}')
    target = options.model_id or choose(task.targets, rng)
    urdf_version = choose(setup.urdf_choices, rng) if setup.urdf_choices else setup.urdf_version

    rng = fresh(seed)
    xy = wanted.init_xy or _pair(rng.uniform(task.area.low, task.area.high))
    z = _start_height(options)
    quat = start_quat
    if wanted.init_rand_rot_z:
        quat = _multiply(_about((0.0, 0.0, 1.0), rng.uniform(0, 2 * math.pi)), quat)
    if wanted.init_rand_axis_rot_range > 0:
        axis = rng.uniform(-1, 1, 3)
        axis = axis / max(float(np.linalg.norm(axis)), 1e-6)
        quat = _multiply(quat, _about(axis, rng.uniform(0, wanted.init_rand_axis_rot_range)))

    placed = [_object(task, target, "target", xy, z, quat)]
    for model in task.distractor_sets[setup.distractors] if setup.distractors else ():
        given = options.distractor_obj_init_options.get(model, DistractorOptions())
        spot = given.init_xy or _free_spot(np.array(xy), rng)
        placed.append(_object(task, model, "distractor", spot, z, given.init_rot_quat or start_quat))
    return Drawn(tuple(placed), urdf_version, task.instruction.format(name=instruction_name(target)), rng)


def draw_put_on(task: PutOnTask, setup: Setup, seed: int, options: ResetOptions) -> Drawn:
    """Source and goal of a put-on episode; the id is drawn by the seed unless given."""
    drawn_id = int(fresh(seed).randint(task.placements))
    given_id = options.obj_init_options.episode_id
    (source_xy, source_quat), (goal_xy, goal_quat) = task.placement(drawn_id if given_id is None else given_id)
    z = _start_height(options)
    placed = (
        _object(task, task.source, "source", source_xy, z, source_quat),
        _object(task, task.goal, "goal", goal_xy, z, goal_quat),
    )
    return Drawn(placed, setup.urdf_version, task.instruction, fresh(seed))


def _orientation(task: GraspTask, name: str | None, seed: int) -> Vec4:
    """Rotation by name; drawn by the seed if there is none. Other tools write "standing" and "horizontal"."""
    if name is None:
        return choose(list(task.orientations.values()), fresh(seed))
    known = "upright" if "standing" in name else "lr_switch" if "horizontal" in name else name
    if known not in task.orientations:
        raise UserError(f'No orientation "{name}".{did_you_mean(name, task.orientations)}')
    return task.orientations[known]


def _free_spot(target_xy: NDArray[np.float64], rng: np.random.RandomState) -> Vec2:
    while True:
        spot = target_xy + rng.uniform(-DISTRACTOR_REACH, DISTRACTOR_REACH, 2)
        spot = np.clip(spot, DISTRACTOR_LOW, DISTRACTOR_HIGH)
        if np.linalg.norm(spot - target_xy) > DISTRACTOR_CLEARANCE:
            return _pair(spot)


def _start_height(options: ResetOptions) -> float:
    surface = options.obj_init_options.init_z
    return (TABLE_HEIGHT if surface is None else surface) + DROP_HEIGHT


def _object(task: GraspTask | PutOnTask, model: str, role: str, xy: Vec2, z: float, quat: Vec4) -> ObjectSpec:
    density = objects(task.object_table)[model].density
    return ObjectSpec(model=model, role=role, xy=xy, z=z, quat=quat, density=density)


def _pair(values: NDArray[np.float64]) -> Vec2:
    x, y = (float(value) for value in values)
    return x, y


def _about(axis: tuple[float, float, float] | NDArray[np.float64], angle: float) -> Vec4:
    """Quaternion w x y z of a rotation by ``angle`` [rad] about a unit axis."""
    sine = math.sin(angle / 2)
    return math.cos(angle / 2), float(axis[0]) * sine, float(axis[1]) * sine, float(axis[2]) * sine


def _multiply(a: Vec4, b: Vec4) -> Vec4:
    """Quaternion of "first b, then a"; w x y z."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
