"""How a cabinet, and what is put into it, stands at the start of an episode (spec tasks 3 to 5)."""

from __future__ import annotations

import numpy as np

from eval.episode import DRAWERS, CabinetSpec
from eval.errors import UserError
from eval.simpler_api.drawn import (
    Drawn,
    draw_colours,
    draw_spot,
    draw_target,
    draw_turn,
    instruction_name,
    placed,
    start_height,
)
from eval.simpler_api.options import ResetOptions
from eval.simpler_api.seeds import choose, fresh
from task_configs import CabinetTask, DrawerTask, PlaceTask, Setup, robot_places

JOINT_FRICTION = 0.05


def draw_drawer(task: DrawerTask, setup: Setup, seed: int, options: ResetOptions) -> Drawn:
    """Drawer, photo with the robot's place, and colours, drawn from one stream in this order."""
    rng = fresh(seed)
    drawer = _drawer(task, setup, rng)
    setup = _place_and_colours(setup, rng)
    cabinet = _cabinet(setup, drawer, task.start_opening, options)
    return Drawn((), setup, task.instruction.format(drawer=drawer), fresh(seed), cabinet)


def draw_place(task: PlaceTask, setup: Setup, seed: int, options: ResetOptions) -> Drawn:
    """Cabinet and the object on top of it; the object is drawn first and from a stream of its own."""
    target = draw_target(options, setup, task.targets, task.object_table, fresh(seed))
    rng = fresh(seed)
    drawer = _drawer(task, setup, rng)
    setup = _place_and_colours(setup, rng)

    rng, wanted = fresh(seed), options.obj_init_options
    xy = draw_spot(wanted, task.area, rng)
    quat = draw_turn(wanted, wanted.init_rot_quat or (1.0, 0.0, 0.0, 0.0), rng)
    item = placed(task.object_table, target, "target", xy, start_height(options), quat)
    place = task.place_instruction.format(name=instruction_name(target), drawer=drawer)
    cabinet = _cabinet(setup, drawer, 0.0, options)
    return Drawn((item,), setup, task.instruction.format(drawer=drawer), rng, cabinet, (place,))


def _drawer(task: CabinetTask, setup: Setup, rng: np.random.RandomState) -> str:
    return setup.drawer or choose(task.drawers, rng)


def _place_and_colours(setup: Setup, rng: np.random.RandomState) -> Setup:
    if setup.place_choices:
        setup = robot_places()[choose(setup.place_choices, rng)].applied_to(setup)
    return draw_colours(setup, rng)


def _cabinet(setup: Setup, drawer: str, opening: float, options: ResetOptions) -> CabinetSpec:
    """The cabinet with one drawer ``opening`` [m] open; the options may say otherwise (spec Q46)."""
    wanted = options.obj_init_options.cabinet_init_qpos
    if isinstance(wanted, tuple):
        if len(wanted) != len(DRAWERS):
            raise UserError(f"cabinet_init_qpos has {len(wanted)} numbers; give one, or {len(DRAWERS)} from top to bottom.")
        qpos = wanted
    else:
        opening = opening if wanted is None else wanted
        qpos = tuple(opening if name == drawer else 0.0 for name in DRAWERS)
    friction = JOINT_FRICTION if setup.joint_friction is None else setup.joint_friction
    return CabinetSpec(station=setup.station or "", drawer=drawer, qpos=qpos, joint_friction=friction)
