"""The scene an episode is played in: stage, objects, robot with its controller, camera and lights, under one solver."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sapien
from numpy.typing import NDArray

from eval.assets.resolver import Assets
from eval.episode import EpisodeSpec, ObjectSpec
from eval.sim import ray_tracing
from eval.sim.cabinet import Cabinet, load_cabinet
from eval.sim.camera import PolicyPicture, load_photo, mount_camera, set_robot_material
from eval.sim.objects import body_of, build_object, make_matte, mass_properties
from eval.sim.physics import CONTROL, drive_scale, new_scene, new_system
from eval.sim.robots.articulation import Robot, link_materials, load_robot
from eval.sim.robots.base import Controller
from eval.sim.robots.geometry import joint_inertia, robot_geometry
from eval.sim.robots.google_robot import GoogleRobotController
from eval.sim.robots.kinematics import KinematicModel
from eval.sim.robots.widowx import WidowXController
from eval.sim.settling import LOCK_ALL, Settled
from eval.sim.stage import build_lights, build_stage
from task_configs import robots, scenes
from task_configs.schema.world import Robot as RobotConfig

AWAY = sapien.Pose([-10.0, 0.0, 0.0])
TASK_OBJECT_DAMPING = 0.1
UNDAMPED = ("distractor", "fixture")
"""Roles that keep PhysX's own damping."""


def scene_key(spec: EpisodeSpec) -> str:
    """Equal for two episodes that can be played in the same scene without building it anew."""
    parts = [spec.task, spec.robot, spec.urdf_version, spec.sim_freq, spec.control_freq, spec.scene, spec.lighting]
    parts += [spec.overlay, spec.shader, spec.disable_bad_material]
    parts += [[o.model, o.role, o.density] for o in spec.objects] + [spec.matte_objects]
    if spec.cabinet is not None:
        parts += [spec.cabinet.station, spec.cabinet.joint_friction]
    return json.dumps(parts)


def object_names(objects: Sequence[ObjectSpec]) -> list[str]:
    """Names of the bodies: the models' names, which the original never repeats within a scene."""
    return [o.model for o in objects]


@dataclass(frozen=True)
class Furniture:
    """Stage, free objects in the spec's order, and the cabinet if there is one."""

    stage: sapien.Entity
    objects: list[sapien.Entity]
    cabinet: Cabinet | None


def build_furniture(scene: sapien.Scene, spec: EpisodeSpec, assets: Assets, render: bool) -> Furniture:
    """Put everything but the robot into ``scene``: objects at the origin, drawers closed."""
    config = scenes()[spec.scene]
    file = None if config.file is None else assets.path(f"data/{config.file}")
    stage = build_stage(scene, file, config, render, spec.physics.stage_collides)
    objects = []
    for item in spec.objects:
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
        if render and spec.matte_objects:
            make_matte(entity)
        objects.append(entity)
    cabinet = None
    if spec.cabinet is not None:
        urdf = assets.urdf(f"data/custom/{spec.cabinet.station}.urdf")
        cabinet = load_cabinet(scene, urdf, spec.cabinet, render)
    return Furniture(stage, objects, cabinet)


@dataclass
class StageSet:
    """Everything of one scene; it serves any number of episodes with the same :func:`scene_key`."""

    scene: sapien.Scene
    system: sapien.physx.PhysxCpuSystem
    config: RobotConfig
    robot: Robot
    controller: Controller
    stage: sapien.Entity
    objects: dict[str, sapien.Entity]
    cabinet: Cabinet | None
    hidden: tuple[str, ...]
    """Objects that the photo shows in place of the render."""
    picture: PolicyPicture | None
    camera: sapien.render.RenderCameraComponent | None
    substeps: int

    def start(self, spec: EpisodeSpec, settled: Sequence[Settled]) -> None:
        """Objects as they settled, robot at its start; what slept goes on sleeping."""
        for entity, state in zip(self.objects.values(), settled, strict=True):
            entity.pose = sapien.Pose(state.pose[:3], state.pose[3:])
            body = body_of(entity)
            body.linear_velocity, body.angular_velocity = state.velocity[:3], state.velocity[3:]
        self.robot.set_root(AWAY)
        self.robot.set_state(spec.robot_qpos)
        self.controller.reset()  # while the robot is away, as in the original (spec Q17)
        self.robot.set_root(sapien.Pose([*spec.robot_xy, spec.robot_height], spec.robot_quat))
        if self.cabinet is not None and spec.cabinet is not None:
            self.cabinet.set_state(spec.cabinet.qpos)
        for entity, state in zip(self.objects.values(), settled, strict=True):
            if state.asleep:
                body_of(entity).put_to_sleep()

    def control_step(self, action: NDArray[np.float64]) -> None:
        """One action: plan, then the substeps with gravity compensation in each (spec 10.2)."""
        self.controller.set_action(action)
        articulation, system, controller = self.robot.articulation, self.system, self.controller
        for k in range(self.substeps):
            articulation.set_qf(articulation.compute_passive_force())
            controller.before_substep(k)
            system.step()

    def foreground(self) -> list[sapien.Entity]:
        """What stays visible over the photo: robot, cabinet, and the objects that the photo does not show itself."""
        links = [*self.robot.links.values(), *(self.cabinet.links.values() if self.cabinet else ())]
        return [link.entity for link in links] + [e for name, e in self.objects.items() if name not in self.hidden]


def build_stage_set(spec: EpisodeSpec, assets: Assets, render: bool, rt: str = ray_tracing.RASTER) -> StageSet:
    """Build the scene of an episode; ``rt``: how ray-traced episodes are drawn (:mod:`eval.sim.ray_tracing`)."""
    config = robots()[spec.robot]
    timestep = 1.0 / spec.sim_freq
    system = new_system(timestep, CONTROL[config.family], spec.physics.contact_offset)
    scene = new_scene(system, render)
    if render:
        ray_tracing.apply(rt if spec.shader == "rt" else ray_tracing.RASTER)
    geometry = robot_geometry(config.family)
    urdf = assets.robot_urdf(config.family, spec.urdf_version)
    robot = load_robot(scene, urdf, geometry, link_materials(config), render)
    _set_drives(robot, config, timestep)
    if config.family == "widowx":
        _separate_widowx_fingers(robot)
    furniture = build_furniture(scene, spec, assets, render)
    kinematics = KinematicModel(geometry)
    substeps = spec.sim_freq // spec.control_freq
    controller: Controller
    if config.family == "google_robot":
        controller = GoogleRobotController(robot, kinematics, timestep, substeps, scene.get_contacts)
    else:
        controller = WidowXController(robot, kinematics)
    named = dict(zip(object_names(spec.objects), furniture.objects, strict=True))
    made = StageSet(
        scene, system, config, robot, controller, furniture.stage, named, furniture.cabinet, spec.hidden, None, None, substeps
    )
    if render:
        _add_picture(made, spec, assets)
    return made


def _set_drives(robot: Robot, config: RobotConfig, timestep: float) -> None:
    """Drives of the original; those of the fingers scaled by the law of :func:`drive_scale`."""
    scale = np.ones(len(config.joints))
    for name in config.gripper_joints:
        index = robot.index(name)
        inertia = joint_inertia(robot.geometry, name)
        scale[index] = drive_scale(config.damping[index], inertia, timestep, CONTROL[config.family])
    robot.set_drives(config.stiffness * scale, config.damping * scale, config.force_limit * scale)


def _separate_widowx_fingers(robot: Robot) -> None:
    """The gripper bar never touches the fingers, the fingers do touch each other (spec 4)."""
    for name, group in (("gripper_bar_link", 0b11), ("left_finger_link", 0b01), ("right_finger_link", 0b10)):
        for shape in robot.links[name].collision_shapes:
            shape.set_collision_groups([1, 1, group, 0])


def _add_picture(made: StageSet, spec: EpisodeSpec, assets: Assets) -> None:
    camera_config = made.config.camera
    links = [link.entity for link in made.robot.links.values()]
    if not spec.disable_bad_material:
        set_robot_material(links)
    build_lights(made.scene, spec.lights)
    made.camera = mount_camera(made.robot.links[camera_config.link].entity, camera_config)
    photo = None
    if spec.overlay is not None:
        photo = load_photo(assets.path(f"data/{spec.overlay}"), camera_config.height, camera_config.width)
    made.picture = PolicyPicture(made.scene, made.camera, made.foreground(), photo)
