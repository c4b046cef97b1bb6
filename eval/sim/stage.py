"""The scene around the robot: stage and lights (docs/simpler.md 8.5, 9.1)."""

from __future__ import annotations

from pathlib import Path

import sapien
from sapien import physx

from eval.sim.objects import light_emissive_textures
from eval.sim.physics import STAGE_CONTACT_OFFSET
from task_configs.schema.world import LightSet, Scene

STAGE_NAME = "arena"
SHADOW_SCALE, SHADOW_MAP_SIZE = 5.0, 2048


def build_stage(scene: sapien.Scene, file: Path | None, config: Scene, render: bool, collides: bool = True) -> sapien.Entity:
    """The room as a static body: triangle mesh for contact if it ``collides``, and with ``render`` as visual shape.

    The rotation of the original is not quite a unit quaternion. PhysX normalises it, the renderer does not, and both see
    the number as it stands (docs/simpler.md Q59).
    """
    entity = sapien.Entity()
    entity.name = STAGE_NAME
    local = sapien.Pose(config.local_position, config.local_quat)
    if render:
        visual = sapien.render.RenderBodyComponent()
        shape = _slab(config) if file is None else sapien.render.RenderShapeTriangleMesh(str(file))
        shape.local_pose = local
        visual.attach(shape)
        light_emissive_textures(visual)
        entity.add_component(visual)
    if collides and file is not None:
        entity.add_component(_collision(file, local))
    entity.pose = sapien.Pose([-v for v in config.offset])
    scene.add_entity(entity)
    return entity


def _collision(file: Path, local: sapien.Pose) -> physx.PhysxRigidStaticComponent:
    body = physx.PhysxRigidStaticComponent()
    shape = physx.PhysxCollisionShapeTriangleMesh(str(file), [1, 1, 1], physx.get_default_material())
    shape.local_pose = local
    shape.contact_offset = STAGE_CONTACT_OFFSET
    shape.set_collision_groups([1, 1, 0, 0])
    body.attach(shape)
    return body


def _slab(config: Scene) -> sapien.render.RenderShapeBox:
    if config.slab is None:
        raise ValueError("a stage needs a file or a slab")
    material = sapien.render.RenderMaterial()
    material.base_color = [*config.slab.color, 1.0]
    return sapien.render.RenderShapeBox(list(config.slab.half_size), material)


def build_lights(scene: sapien.Scene, lights: LightSet) -> None:
    """Ambient and directional lights; no numbers are converted between the engines."""
    scene.set_ambient_light([lights.ambient] * 3)
    for light in lights.directional:
        scene.add_directional_light(
            list(light.direction),
            [light.color] * 3,
            shadow=light.shadow,
            shadow_scale=SHADOW_SCALE,
            shadow_map_size=SHADOW_MAP_SIZE,
        )
