"""What stands around the robot: stage and lights (spec 8.5, 9.1)."""

from __future__ import annotations

from pathlib import Path

import sapien
from sapien import physx

from eval.envs.objects import light_emissive_textures
from eval.envs.physics import STAGE_CONTACT_OFFSET
from task_configs.world_models import LightSet, Scene

STAGE_NAME = "arena"


def build_stage(scene: sapien.Scene, file: Path, config: Scene, render: bool) -> sapien.Entity:
    """The room as a static body: triangle mesh for contact and, with ``render``, the same file as picture.

    The rotation of the original is not quite a unit quaternion. PhysX normalises it, the renderer does not, and both see
    the number as it stands (spec Q59).
    """
    local = sapien.Pose(config.local_position, config.local_quat)
    body = physx.PhysxRigidStaticComponent()
    shape = physx.PhysxCollisionShapeTriangleMesh(str(file), [1, 1, 1], physx.get_default_material())
    shape.local_pose = local
    shape.contact_offset = STAGE_CONTACT_OFFSET
    shape.set_collision_groups([1, 1, 0, 0])
    body.attach(shape)
    entity = sapien.Entity()
    entity.name = STAGE_NAME
    if render:
        picture = sapien.render.RenderBodyComponent()
        mesh = sapien.render.RenderShapeTriangleMesh(str(file))
        mesh.local_pose = local
        picture.attach(mesh)
        light_emissive_textures(picture)
        entity.add_component(picture)
    entity.add_component(body)
    entity.pose = sapien.Pose([-v for v in config.offset])
    scene.add_entity(entity)
    return entity


def build_lights(scene: sapien.Scene, lights: LightSet) -> None:
    """Ambient and directional lights; no numbers are converted between the engines."""
    scene.set_ambient_light([lights.ambient] * 3)
    for light in lights.directional:
        scene.add_directional_light(
            list(light.direction), [light.color] * 3, shadow=False
        )
