"""Free objects: their hulls, mass properties and visual meshes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import sapien
from numpy.typing import NDArray
from sapien import physx

from eval.sim.hulls import hull_shape, hull_vertices, hulls_of

OBJECT_FRICTION = 0.5


@dataclass(frozen=True)
class MassProperties:
    """Mass [kg], principal inertia [kg m2] and centre-of-mass frame of a model at one density."""

    mass: float
    inertia: tuple[float, float, float]
    com_p: tuple[float, float, float]
    com_q: tuple[float, float, float, float]


@cache
def _mass_table() -> dict[str, dict[str, list[float]]]:
    text = resources.files("task_configs").joinpath("object_masses.json").read_text()
    return json.loads(text)  # type: ignore[no-any-return]


def mass_properties(model: str, density: float) -> MassProperties | None:
    """Mass properties as PhysX 4 computed them for the original collision file; None for an unknown model. Density in kg/m3."""
    row = _mass_table().get(model)
    if row is None:
        return None
    reference, mass, *rest = row["values"]
    scale = density / reference
    i, p, q = rest[:3], rest[3:6], rest[6:]
    return MassProperties(
        mass * scale,
        (i[0] * scale, i[1] * scale, i[2] * scale),
        (p[0], p[1], p[2]),
        (q[0], q[1], q[2], q[3]),
    )


def build_object(
    scene: sapien.Scene,
    name: str,
    collision: Path,
    density: float,
    properties: MassProperties | None,
    visual: Path | None,
    damping: float | None,
) -> sapien.Entity:
    """Add a free object at the origin.

    properties: given for the original collision file, None for a stand-in (mass then follows from the density);
    visual: None in a scene without renderer; damping: linear and angular, 1/s, None keeps PhysX's own (0, 0.05).
    """
    material = physx.PhysxMaterial(OBJECT_FRICTION, OBJECT_FRICTION, 0.0)
    body = physx.PhysxRigidDynamicComponent()
    for hull in hulls_of(collision):
        shape = hull_shape(hull, material)
        shape.set_density(density)
        shape.set_collision_groups([1, 1, 0, 0])
        body.attach(shape)
    if properties is not None:
        body.mass = properties.mass
        body.cmass_local_pose = sapien.Pose(properties.com_p, properties.com_q)
        body.inertia = properties.inertia
    if damping is not None:
        body.linear_damping = body.angular_damping = damping
    entity = sapien.Entity()
    entity.name = name
    if visual is not None:
        entity.add_component(render_body(visual))
    entity.add_component(body)
    scene.add_entity(entity)
    return entity


def render_body(visual: Path, pose: sapien.Pose | None = None) -> sapien.render.RenderBodyComponent:
    """The visual shape of a mesh file; emissive textures shine as in the original (docs/simpler.md Q9)."""
    component = sapien.render.RenderBodyComponent()
    shape = sapien.render.RenderShapeTriangleMesh(str(visual))
    if pose is not None:
        shape.local_pose = pose
    component.attach(shape)
    light_emissive_textures(component)
    return component


def light_emissive_textures(component: sapien.render.RenderBodyComponent) -> None:
    """2.2.2 takes an emission texture alone, 3.0.3 multiplies it with a factor that the baked models do not have."""
    for shape in component.render_shapes:
        for part in shape.parts:
            if part.material.emission_texture is not None:
                part.material.emission = [1.0, 1.0, 1.0, 1.0]


def make_matte(entity: sapien.Entity) -> None:
    """Neither gloss nor metal, whatever the model's file says (docs/simpler.md 8.4)."""
    for shape in entity.find_component_by_type(sapien.render.RenderBodyComponent).render_shapes:
        for part in shape.parts:
            part.material.roughness, part.material.metallic, part.material.specular = 1.0, 0.0, 0.0


def body_of(entity: sapien.Entity) -> physx.PhysxRigidDynamicComponent:
    """The rigid body of an object."""
    return entity.find_component_by_type(physx.PhysxRigidDynamicComponent)


def collision_box(entity: sapien.Entity) -> NDArray[np.float64]:
    """(2, 3) m, least and greatest corner of an object's hulls along its own axes."""
    hulls = [shape for shape in body_of(entity).collision_shapes if isinstance(shape, physx.PhysxCollisionShapeConvexMesh)]
    corners = np.concatenate([hull_vertices(shape) for shape in hulls]).astype(np.float64)
    return np.stack([corners.min(axis=0), corners.max(axis=0)])


def speeds(entities: Sequence[sapien.Entity]) -> tuple[float, float]:
    """Sums over the objects of |v| [m/s] and |omega| [rad/s]."""
    bodies = [body_of(entity) for entity in entities]
    return (
        float(sum(np.linalg.norm(body.linear_velocity) for body in bodies)),
        float(sum(np.linalg.norm(body.angular_velocity) for body in bodies)),
    )
