"""Small building blocks for stand-in meshes. Lengths in metres; colours are linear RGB 0..1 as glTF expects them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

Rgb = tuple[float, float, float]
Vec3 = tuple[float, float, float]
Mesh = Any  # trimesh carries no types
AXES = {"x": 0, "y": 1, "z": 2}


def box(low: Vec3, high: Vec3) -> Mesh:
    """Axis-aligned box between two corners; its faces share no vertices, so that edges look sharp."""
    mesh = trimesh.creation.box(bounds=np.array([low, high]))
    mesh.unmerge_vertices()
    return mesh


def lathe(profile: Sequence[tuple[float, float]], axis: str, center: Vec3 = (0, 0, 0), sections: int = 48) -> Mesh:
    """Turn ``profile``, rows of (radius, height), about ``axis`` through ``center``; texture u = angle, v = height.

    Rows run from the bottom around the outside to the top, so that faces look outwards.
    """
    radii, heights = np.array(profile, dtype=float).T
    angle = np.linspace(0, 2 * np.pi, sections + 1)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)  # the seam is doubled for the texture
    along = np.repeat(heights, sections + 1)
    around = (radii[:, None, None] * ring[None]).reshape(-1, 2)
    index = AXES[axis]
    vertices = np.empty((len(along), 3))
    vertices[:, index] = along
    vertices[:, (index + 1) % 3], vertices[:, (index + 2) % 3] = around.T
    i, j = np.meshgrid(np.arange(len(radii) - 1), np.arange(sections), indexing="ij")
    a = (i * (sections + 1) + j).ravel()
    b = a + sections + 1
    faces = np.concatenate([np.stack([a, a + 1, b], 1), np.stack([a + 1, b + 1, b], 1)])
    span = max(float(np.ptp(heights)), 1e-9)
    uv = np.stack([np.tile(angle / (2 * np.pi), len(radii)), (along - heights.min()) / span], axis=1)
    mesh = trimesh.Trimesh(vertices + np.array(center), faces, process=False)
    mesh.visual = TextureVisuals(uv=uv)
    return mesh


def ellipsoid(low: Vec3, high: Vec3, subdivisions: int = 3) -> Mesh:
    """Ellipsoid that fills the box between two corners."""
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    mesh.vertices = mesh.vertices * (np.subtract(high, low) / 2) + np.add(low, high) / 2
    return mesh


def painted(mesh: Mesh, color: Rgb, roughness: float = 0.7, metallic: float = 0.0) -> Mesh:
    """The mesh in one colour."""
    material = PBRMaterial(
        baseColorFactor=[round(255 * c) for c in (*color, 1.0)], roughnessFactor=roughness, metallicFactor=metallic
    )
    uv = getattr(mesh.visual, "uv", None)
    mesh.visual = TextureVisuals(uv=np.zeros((len(mesh.vertices), 2)) if uv is None else uv, material=material)
    return mesh


def textured(mesh: Mesh, image: NDArray[np.uint8], roughness: float = 0.6) -> Mesh:
    """The mesh with an sRGB image (H, W, 3) over its texture coordinates."""
    material = PBRMaterial(baseColorTexture=Image.fromarray(image), roughnessFactor=roughness, metallicFactor=0.0)
    mesh.visual = TextureVisuals(uv=mesh.visual.uv, material=material)
    return mesh


def glb(parts: Iterable[Mesh]) -> bytes:
    """Binary glTF with one node per part, vertices as given (no change of axes)."""
    scene = trimesh.Scene()
    for index, part in enumerate(parts):
        part.vertex_normals  # noqa: B018  computed here, so that they are exported
        scene.add_geometry(part, node_name=f"part_{index}", geom_name=f"part_{index}")
    return bytes(scene.export(file_type="glb", include_normals=True))


def hulls_obj(pieces: Iterable[Mesh]) -> bytes:
    """Collision file (OBJ): the convex hull of each piece as a part of its own."""
    mesh = trimesh.util.concatenate([trimesh.Trimesh(p.vertices, p.faces).convex_hull for p in pieces])
    text = mesh.export(file_type="obj", include_normals=False, include_texture=False, include_color=False)
    return str(text).encode()
