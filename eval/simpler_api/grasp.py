"""Where the target and the distractors of a grasp episode start to fall (spec tasks 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError, did_you_mean
from eval.simpler_api.drawn import (
    Drawn,
    draw_colours,
    draw_spot,
    draw_target,
    draw_turn,
    instruction_name,
    pair,
    placed,
    start_height,
)
from eval.simpler_api.options import DistractorOptions, ResetOptions
from eval.simpler_api.seeds import choose, fresh
from task_configs import GraspTask, Setup
from task_configs.families import UNTURNED
from task_configs.schema.tasks import Vec2, Vec4

DISTRACTOR_REACH = 0.3
"""m, half side of the square around the target from which distractors are drawn."""
DISTRACTOR_LOW, DISTRACTOR_HIGH = (-0.50, 0.05), (-0.10, 0.35)
DISTRACTOR_CLEARANCE = 0.25
"""m, least distance to the target."""


def draw_grasp(task: GraspTask, setup: Setup, seed: int, options: ResetOptions) -> Drawn:
    """Target and distractors of a grasp episode. Raises UserError for unknown models and orientations."""
    wanted, table = options.obj_init_options, task.object_table
    start_quat = wanted.init_rot_quat or _orientation(task, setup.orientation, wanted.orientation, seed)
    rng = fresh(seed)
    target = draw_target(options, setup, task.targets, table, rng)
    setup = draw_colours(setup, rng)

    rng = fresh(seed)
    xy = draw_spot(wanted, task.area, rng)
    z = start_height(options)
    quat = draw_turn(wanted, start_quat, rng)
    found = [placed(table, target, "target", xy, z, quat, setup.target_density)]
    for model in task.distractor_sets[setup.distractors] if setup.distractors else ():
        given = options.distractor_obj_init_options.get(model, DistractorOptions())
        spot = given.init_xy or _free_spot(np.array(xy), rng)
        found.append(placed(table, model, "distractor", spot, z, given.init_rot_quat or start_quat))
    return Drawn(tuple(found), setup, task.instruction.format(name=instruction_name(target)), rng)


def _orientation(task: GraspTask, fixed: str | None, wanted: str | None, seed: int) -> Vec4:
    """Rotation by name; drawn by the seed if there is none. Other tools write "standing" and "horizontal"."""
    if fixed == UNTURNED:
        return (1.0, 0.0, 0.0, 0.0)
    name = wanted or fixed
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
            return pair(spot)
