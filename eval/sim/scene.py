"""The scene an episode is played in: stage, objects, robot with its controller, camera and lights, under one solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sapien
from numpy.typing import NDArray

from eval.assets.resolver import Assets
from eval.episode import EpisodeSpec, ObjectSpec
from eval.sim import ray_tracing
from eval.sim.cabinet import Cabinet, load_cabinet
from eval.sim.camera import PolicyCamera, load_photo, mount_camera, set_robot_material
from eval.sim.contents import SceneContents, contents_of
from eval.sim.drawing_turn import drawing_turn
from eval.sim.objects import body_of, build_object, make_matte, mass_properties
from eval.sim.physics import CONTROL, drive_scale, kept_renderer, new_scene, new_system
from eval.sim.robots.articulation import Robot, link_materials, load_robot
from eval.sim.robots.base import Controller
from eval.sim.robots.finger_contact import SIDE_OF
from eval.sim.robots.geometry import joint_inertia, robot_geometry
from eval.sim.robots.google_robot import GoogleRobotController
from eval.sim.robots.kinematics import kinematic_model
from eval.sim.robots.squeeze import FingerDrive
from eval.sim.robots.torsional_friction import TorsionalFriction
from eval.sim.robots.widowx import WidowXController
from eval.sim.settling import LOCK_ALL, Settled
from eval.sim.shaders import Shaders, cover
from eval.sim.stage import build_lights, build_stage
from task_configs import robots, scenes
from task_configs.schema.world import Robot as RobotConfig

AWAY = sapien.Pose([-10.0, 0.0, 0.0])
TASK_OBJECT_DAMPING = 0.1
UNDAMPED = ("distractor", "fixture")
"""Roles that keep PhysX's own damping."""


def object_names(objects: Sequence[ObjectSpec]) -> list[str]:
    """Names of the bodies: the models' names, which the original never repeats within a scene."""
    return [o.model for o in objects]


@dataclass(frozen=True)
class SceneBodies:
    """Stage, free objects in the contents' order, and the cabinet if there is one."""

    stage: sapien.Entity
    objects: list[sapien.Entity]
    cabinet: Cabinet | None


def build_bodies(
    scene: sapien.Scene, contents: SceneContents, assets: Assets, render: bool, matte: bool = False
) -> SceneBodies:
    """Put everything but the robot into ``scene``.

    Args:
        scene: of the engine, as :func:`eval.sim.physics.new_scene` made it.
        contents: what to build, and nothing but that decides what is built.
        assets: where the files come from.
        render: whether the bodies can be seen, too.
        matte: whether the objects lose gloss and metal.

    Returns:
        The bodies: objects at the origin, drawers closed.
    """
    config = scenes()[contents.stage]
    file = None if config.file is None else assets.path(f"data/{config.file}")
    stage = build_stage(scene, file, config, render, contents.stage_collides)
    objects = []
    for item in contents.objects:
        builtin = assets.collision_is_builtin(item.model)
        entity = build_object(
            scene,
            item.model,
            assets.collision(item.model),
            item.density,
            None if builtin else mass_properties(item.model, item.density),
            assets.visual(item.model) if render else None,
            None if item.role in UNDAMPED else TASK_OBJECT_DAMPING,
        )
        if item.role == "fixture":
            body_of(entity).set_locked_motion_axes(LOCK_ALL)
        if render and matte:
            make_matte(entity)
        objects.append(entity)
    cabinet = None
    if contents.station is not None:
        urdf = assets.urdf(f"data/custom/{contents.station}.urdf")
        cabinet = load_cabinet(scene, urdf, contents.joint_friction, render)
    return SceneBodies(stage, objects, cabinet)


@dataclass
class EpisodeScene:
    """The scene of one episode."""

    engine: sapien.Scene
    system: sapien.physx.PhysxCpuSystem
    config: RobotConfig
    robot: Robot
    controller: Controller
    torsional_friction: TorsionalFriction | None
    """Of the fingers on the cabinet."""
    stage: sapien.Entity
    objects: dict[str, sapien.Entity]
    """By name, in the episode's order."""
    cabinet: Cabinet | None
    hidden: tuple[str, ...]
    """Objects that the photo shows in place of the render."""
    substeps: int
    """Physics steps of a control step."""
    camera: PolicyCamera | None = None
    """None: nothing is rendered."""

    def start(self, spec: EpisodeSpec, settled: Sequence[Settled]) -> None:
        """Objects as they settled, robot at its start; what slept goes on sleeping."""
        for entity, state in zip(self.objects.values(), settled, strict=True):
            entity.pose = sapien.Pose(state.pose[:3], state.pose[3:])
            body = body_of(entity)
            body.linear_velocity, body.angular_velocity = state.velocity[:3], state.velocity[3:]
        self.robot.set_root(AWAY)
        self.robot.set_state(spec.robot_qpos)
        self.controller.reset()  # while the robot is away, as in the original (docs/simpler.md Q17)
        self.robot.set_root(sapien.Pose([*spec.robot_xy, spec.robot_height], spec.robot_quat))
        if self.cabinet is not None and spec.cabinet is not None:
            self.cabinet.set_state(spec.cabinet.qpos)
        for entity, state in zip(self.objects.values(), settled, strict=True):
            if state.asleep:
                body_of(entity).put_to_sleep()

    def control_step(self, action: NDArray[np.float64]) -> None:
        """One action: plan, then the substeps with gravity compensation in each (docs/simpler.md 10.2)."""
        self.controller.set_action(action)
        articulation, system, controller, torsion = (
            self.robot.articulation,
            self.system,
            self.controller,
            self.torsional_friction,
        )
        if torsion is not None:
            torsion.begin_step()
        for k in range(self.substeps):
            force = articulation.compute_passive_force()
            friction = None if torsion is None else torsion.joint_torques()
            articulation.set_qf(force if friction is None else (force + friction).astype(np.float32))
            controller.before_substep(k)
            system.step()

    def foreground(self) -> list[sapien.Entity]:
        """The bodies that stay visible over the photo: robot, cabinet, and the objects that the photo does not show itself."""
        links = [*self.robot.links.values(), *(self.cabinet.links.values() if self.cabinet else ())]
        return [link.entity for link in links] + [e for name, e in self.objects.items() if name not in self.hidden]


def build_scene(
    spec: EpisodeSpec,
    assets: Assets,
    render: bool,
    rendering: ray_tracing.Choice = ray_tracing.RASTER,
    device: str | None = None,
    depth: bool = False,
) -> EpisodeScene:
    """Build the scene of an episode.

    Args:
        spec: the episode.
        assets: where the files come from.
        render: whether there is a camera.
        rendering: how episodes are rendered for which the original traces rays.
        device: what renders, in SAPIEN's words; None: the best there is.
        depth: whether cameras can also be asked for depths.

    Returns:
        The scene before :meth:`EpisodeScene.start`.
    """
    config = robots()[spec.robot]
    timestep = 1.0 / spec.sim_freq
    system = new_system(timestep, CONTROL[config.family], spec.physics.contact_offset)
    engine = new_scene(system, render, device)
    if spec.shader != "rt":
        rendering = ray_tracing.RASTER
    shaders = ray_tracing.apply(rendering, depth) if render else None
    geometry = robot_geometry(config.family)
    urdf = assets.robot_urdf(config.family, spec.urdf_version)
    robot = load_robot(engine, urdf, geometry, link_materials(config), render)
    _set_drives(robot, config, timestep)
    if config.family == "widowx":
        _separate_widowx_fingers(robot)
    bodies = build_bodies(engine, contents_of(spec), assets, render, spec.matte_objects)
    torsional_friction = None
    if bodies.cabinet is not None:
        panels = bodies.cabinet.links.values()
        torsional_friction = TorsionalFriction(robot, list(SIDE_OF), panels, system.get_contacts, timestep)
    kinematics = kinematic_model(config.family)
    substeps = spec.sim_freq // spec.control_freq
    controller: Controller
    if config.family == "google_robot":
        finger = robot.index(config.gripper_joints[0])
        inertia = joint_inertia(geometry, config.gripper_joints[0])
        drive = FingerDrive(config.stiffness[finger], config.damping[finger], inertia)
        controller = GoogleRobotController(robot, kinematics, timestep, substeps, engine.get_contacts, drive)
    else:
        controller = WidowXController(robot, kinematics)
    objects = dict(zip(object_names(spec.objects), bodies.objects, strict=True))
    scene = EpisodeScene(
        engine, system, config, robot, controller, torsional_friction, bodies.stage, objects, bodies.cabinet, spec.hidden,
        substeps,
    )  # fmt: skip
    if shaders is not None:
        _add_camera(scene, spec, assets, rendering, device, shaders)
    return scene


def _set_drives(robot: Robot, config: RobotConfig, timestep: float) -> None:
    """Drives of the original; those of the fingers scaled by the law of :func:`drive_scale`."""
    scale = np.ones(len(config.joints))
    for name in config.gripper_joints:
        index = robot.index(name)
        inertia = joint_inertia(robot.geometry, name)
        scale[index] = drive_scale(config.damping[index], inertia, timestep, CONTROL[config.family])
    robot.set_drives(config.stiffness * scale, config.damping * scale, config.force_limit * scale)


def _separate_widowx_fingers(robot: Robot) -> None:
    """The gripper bar never touches the fingers, the fingers do touch each other (docs/simpler.md 4)."""
    for name, group in (("gripper_bar_link", 0b11), ("left_finger_link", 0b01), ("right_finger_link", 0b10)):
        for shape in robot.links[name].collision_shapes:
            shape.set_collision_groups([1, 1, group, 0])


def _gpu(device: str | None) -> str | None:
    """Address of the device that renders, the same in every process; None if it is a CPU."""
    renders = kept_renderer(device).device
    return None if ray_tracing.is_software(str(renders.name)) else renders.pci_string


def _add_camera(
    scene: EpisodeScene,
    spec: EpisodeSpec,
    assets: Assets,
    rendering: ray_tracing.Choice,
    device: str | None,
    shaders: Shaders,
) -> None:
    config = scene.config.camera
    if not spec.disable_bad_material:
        set_robot_material([link.entity for link in scene.robot.links.values()])
    build_lights(scene.engine, spec.lights)
    component = mount_camera(scene.robot.links[config.link].entity, config)
    if ray_tracing.ends_early(rendering):
        cover(component, None if spec.overlay is None else int(scene.stage.per_scene_id))
    photo = None
    if spec.overlay is not None:
        photo = load_photo(assets.path(f"data/{spec.overlay}"), config.height, config.width)
    turn = drawing_turn(None if rendering == ray_tracing.RASTER else _gpu(device))
    scene.camera = PolicyCamera(scene.engine, component, scene.foreground(), photo, turn, shaders.id_in_color)
