"""From a setup, a seed and reset options to an EpisodeSpec."""

from __future__ import annotations

import numpy as np

from eval.episode import EpisodeSpec, PhysicsSpec
from eval.errors import UserError
from eval.tasks.loading import load_task
from eval.tasks.reset_options import ResetOptions, RobotOptions
from task_configs.schema.tables import lights, robots
from task_configs.schema.tasks import Setup, Vec2


def build_spec(
    task_name: str, setup: Setup, seed: int, options: ResetOptions, *, setting: str, variant: str, index: int
) -> EpisodeSpec:
    """The episode that one reset of the original would begin.

    Args:
        task_name: a name of ``task_names()``.
        setup: what the world is built with.
        seed: episode seed; whatever the options leave open is sampled from it.
        options: what the caller fixes.
        setting, variant, index: how the episode is filed; see ``EpisodeSpec``.

    Raises:
        UserError: unknown models or names in the options, or numbers that do not fit the robot or the task.
    """
    task = load_task(task_name)
    robot = robots()[setup.robot]
    start = task.sample(setup, seed, options)
    setup = start.setup
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
        robot_xy=_robot_xy(given, setup, start.rng),
        robot_height=next(h for h in (given.init_height, setup.robot_height, robot.base_height) if h is not None),
        robot_quat=given.init_rot_quat or setup.robot_quat or robot.base_quat,
        robot_qpos=qpos,
        objects=start.objects,
        seed=seed,
        instruction=start.instruction,
        later_instructions=start.later_instructions,
        cabinet=start.cabinet,
        matte_objects=start.matte_objects,
        rule=task.rule,
        physics=PhysicsSpec(contact_offset=task.contact_offset, stage_collides=task.stage_collides),
        lights=lights(task.lights)[setup.lighting],
        hidden=task.hidden,
    )


def _robot_xy(given: RobotOptions, setup: Setup, rng: np.random.RandomState) -> Vec2:
    """Base position; sampled after all objects where neither caller nor setup gives one, x first."""
    if given.init_xy or setup.robot_xy:
        return given.init_xy or setup.robot_xy or (0.0, 0.0)
    area = robots()[setup.robot].base_xy
    if area.low == area.high:
        return area.low
    x, y = (float(rng.uniform(low, high)) for low, high in zip(area.low, area.high, strict=True))
    return x, y
