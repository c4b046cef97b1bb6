"""From a setup, a seed and reset options to an EpisodeSpec."""

from __future__ import annotations

import numpy as np

from eval.episode import EpisodeSpec, PhysicsSpec, RuleSpec
from eval.errors import UserError
from eval.simpler_api.cabinet import draw_drawer, draw_place
from eval.simpler_api.drawn import Drawn
from eval.simpler_api.grasp import draw_grasp
from eval.simpler_api.move_near import draw_move_near
from eval.simpler_api.options import ResetOptions, RobotOptions
from eval.simpler_api.put_on import draw_put_on
from task_configs import DrawerTask, GraspTask, MoveNearTask, PlaceTask, Setup, Task, lights, load_task, robots
from task_configs.schema.tasks import Vec2


def build_spec(
    task_name: str, setup: Setup, seed: int, options: ResetOptions, *, setting: str, variant: str, index: int
) -> EpisodeSpec:
    """Everything that one reset of the original would fix.

    Args:
        task_name: a name of ``task_names()``.
        setup: what the world is built with.
        seed: episode seed; whatever the options leave open is drawn from it.
        options: what the caller fixes.
        setting, variant, index: how the episode is filed; see ``EpisodeSpec``.
    """
    task = load_task(task_name)
    robot = robots()[setup.robot]
    drawn = _drawn(task, setup, seed, options)
    setup = drawn.setup
    given = options.robot_init_options
    qpos = given.qpos or robot.start_qpos(setup.view)
    if len(qpos) != len(robot.joints):
        raise UserError(f"robot_init_options.qpos: {len(qpos)} numbers for the {len(robot.joints)} joints of {setup.robot}.")
    return EpisodeSpec(
        task=task_name,
        setting=setting,
        variant=variant,
        index=index,
        robot=setup.robot,
        control_freq=setup.control_freq or robot.control_freq,
        sim_freq=setup.sim_freq or robot.sim_freq,
        max_steps=setup.max_steps or task.max_steps,
        scene=setup.scene,
        lighting=setup.lighting,
        overlay=setup.overlay,
        urdf_version=setup.urdf_version,
        shader=setup.shader,
        disable_bad_material=setup.disable_bad_material,
        robot_xy=_robot_xy(given, setup, drawn.rng),
        robot_height=next(h for h in (given.init_height, setup.robot_height, robot.base_height) if h is not None),
        robot_quat=given.init_rot_quat or setup.robot_quat or robot.base_quat,
        robot_qpos=qpos,
        objects=drawn.objects,
        seed=seed,
        instruction=drawn.instruction,
        later_instructions=drawn.later_instructions,
        cabinet=drawn.cabinet,
        matte_objects=drawn.matte_objects,
        rule=RuleSpec(family=task.family, **task.rule_numbers),
        physics=PhysicsSpec(contact_offset=task.contact_offset, stage_collides=task.stage_collides),
        lights=lights(task.lights)[setup.lighting],
        hidden=task.hidden,
    )


def _drawn(task: Task, setup: Setup, seed: int, options: ResetOptions) -> Drawn:
    if isinstance(task, GraspTask):
        return draw_grasp(task, setup, seed, options)
    if isinstance(task, MoveNearTask):
        return draw_move_near(task, setup, seed, options)
    if isinstance(task, DrawerTask):
        return draw_drawer(task, setup, seed, options)
    if isinstance(task, PlaceTask):
        return draw_place(task, setup, seed, options)
    return draw_put_on(task, setup, seed, options)


def _robot_xy(given: RobotOptions, setup: Setup, rng: np.random.RandomState) -> Vec2:
    """Base position; drawn after all objects where neither caller nor setup gives one, x first."""
    if given.init_xy or setup.robot_xy:
        return given.init_xy or setup.robot_xy or (0.0, 0.0)
    area = robots()[setup.robot].base_xy
    if area.low == area.high:
        return area.low
    x, y = (float(rng.uniform(low, high)) for low, high in zip(area.low, area.high, strict=True))
    return x, y
