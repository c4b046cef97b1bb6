"""Rooms without a table: apartment, bedroom and office of the drawer tasks, and the corner in which their photos were taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from eval.assets.stand_ins.textures import linear, tile

Vec3 = tuple[float, float, float]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """An axis-aligned box of a room, world coordinates in m, with a tiling material (``textures.tile``)."""

    lo: Vec3
    hi: Vec3
    material: tuple[str, str]
    """Kind of tile and its sRGB colour."""


def _room(back: float, half: float, floor: tuple[str, str], wall: tuple[str, str], roof: bool = False) -> list[Block]:
    """Floor, back wall at x = ``back``, three more walls with a skirting, and perhaps a roof."""
    lo, hi = -half, half
    blocks = [
        Block((lo, lo, -0.1), (hi, hi, 0.0), floor),
        Block((back - 0.1, lo, 0.0), (back, hi, 2.6), wall),
        Block((hi, lo, 0.0), (hi + 0.1, hi, 2.6), wall),
        Block((back, lo - 0.1, 0.0), (hi, lo, 2.6), wall),
        Block((back, hi, 0.0), (hi, hi + 0.1, 2.6), wall),
        Block((back, lo, 0.0), (back + 0.015, hi, 0.09), ("plain", "#5b544c")),
    ]
    if roof:
        blocks.append(Block((lo, lo, 2.6), (hi, hi, 2.7), ("plain", "#e6e3dc")))
    return blocks


def _furnished(floor: tuple[str, str], wall: tuple[str, str], roof: bool, pieces: Sequence[Block]) -> list[Block]:
    return [*_room(-2.2, 3.2, floor, wall, roof), *pieces]


def _apartment() -> list[Block]:
    return _furnished(
        ("planks", "#a8825c"),
        ("plain", "#d8d4ca"),
        True,
        [
            Block((-2.0, -1.9, 0.15), (-1.2, -0.6, 0.42), ("fabric", "#6d7f8c")),
            Block((-2.15, -1.9, 0.15), (-1.95, -0.6, 0.85), ("fabric", "#63747f")),
            Block((-1.9, 0.75, 0.0), (-1.45, 1.75, 0.75), ("wood", "#8a6a48")),
            Block((-2.19, -0.3, 1.0), (-2.17, 0.6, 1.7), ("plain", "#7ea0b8")),
            Block((-2.6, -2.4, 0.0), (0.2, 2.2, 0.008), ("fabric", "#b8a78c")),
        ],
    )


def _bedroom() -> list[Block]:
    return _furnished(
        ("planks", "#8f6846"),
        ("plain", "#d7c3ad"),
        False,
        [
            Block((-2.1, -2.2, 0.0), (-0.9, -0.75, 0.35), ("wood", "#7a5636")),
            Block((-2.05, -2.15, 0.35), (-0.95, -0.8, 0.55), ("fabric", "#d9dde3")),
            Block((-2.0, -2.05, 0.55), (-1.7, -0.9, 0.67), ("plain", "#f2f0ec")),
            Block((-2.15, -2.25, 0.0), (-2.05, -0.7, 1.05), ("wood", "#6b4a2f")),
            Block((-2.1, 0.7, 0.0), (-1.6, 1.6, 2.0), ("wood", "#93714e")),
            Block((-2.19, -0.45, 1.0), (-2.17, 0.45, 1.9), ("plain", "#a9cbe0")),
        ],
    )


def _office() -> list[Block]:
    steel = ("plain", "#54585d")
    return _furnished(
        ("fabric", "#5a6068"),
        ("plain", "#b9c0c6"),
        False,
        [
            Block((-2.0, -1.9, 0.70), (-1.2, -0.5, 0.74), ("wood", "#c9ab84")),
            *(Block((x, y, 0.0), (x + 0.05, y + 0.05, 0.70), steel) for x in (-1.95, -1.3) for y in (-1.85, -0.6)),
            Block((-1.75, -1.5, 0.78), (-1.71, -0.9, 1.15), ("plain", "#17191c")),
            Block((-1.76, -1.25, 0.74), (-1.70, -1.15, 0.80), steel),
            Block((-2.1, 0.7, 0.0), (-1.6, 1.2, 1.3), ("plain", "#8a9096")),
            Block((-2.19, -0.4, 0.9), (-2.17, 0.55, 1.8), ("plain", "#eef2f4")),
        ],
    )


def lab_corner() -> list[Block]:
    """The surroundings of the cabinet in the drawer photos; the cabinet itself is simulated."""
    black = ("plain", "#26221f")
    return [
        *_room(-0.95, 3.0, ("concrete", "#8d7b67"), ("fabric", "#5f554c")),
        Block((-0.95, -0.03, 0.0), (-0.90, 0.03, 2.6), black),
        Block((-0.75, -1.35, 0.70), (0.10, -0.62, 0.74), ("wood", "#4a3a30")),
        Block((-0.65, -1.25, 0.0), (-0.60, -1.20, 0.70), black),
        Block((0.0, -0.75, 0.0), (0.05, -0.70, 0.70), black),
        Block((-0.85, 0.62, 0.70), (-0.10, 1.40, 0.74), ("wood", "#4a3a30")),
        Block((-0.15, 0.68, 0.0), (-0.10, 0.73, 0.70), black),
        Block((-0.62, -0.62, 0.0), (-0.35, -0.38, 0.36), ("plain", "#7f8a91")),
    ]


ROOMS: dict[str, Callable[[], list[Block]]] = {
    "frl_apartment_stage_simple": _apartment,
    "modern_bedroom_no_roof": _bedroom,
    "minimalistic_modern_bedroom": _bedroom,
    "modern_office_no_roof": _office,
    "modern_office": _office,
}
"""Stage name -> its blocks in world coordinates."""


def _world_from_file(name: str) -> Matrix:
    """(4, 4) where the world puts a stage file (docs/simpler.md 9.1)."""
    matrix = np.eye(4)
    matrix[:3, 3] = [1.6616, 3.0337, 0.0]
    upright = Rotation.from_quat([0.707, 0, 0, 0.707])
    if "modern_bedroom" in name:
        upright = Rotation.from_quat([0, 0, -1, 0.007]) * upright
        matrix[:3, 3] += [0.178, -2.235, 1.669]
    elif "modern_office" in name:
        upright = Rotation.from_quat([0, 0, -0.705, 0.709]) * upright
        matrix[:3, 3] += [-0.192, -1.728, 1.48]
    matrix[:3, :3] = upright.as_matrix()
    return matrix


def stage_file(name: str) -> bytes:
    """GLB of a stage, Y up, so that the world's placement puts the blocks where they are meant to be."""
    return blocks_glb(ROOMS[name](), np.asarray(np.linalg.inv(_world_from_file(name))))


def blocks_glb(blocks: Iterable[Block], to_file: NDArray[np.floating]) -> bytes:
    """Binary glTF of the blocks, one part per material, after the rigid motion ``to_file`` (4, 4)."""
    groups: dict[tuple[str, str], list[Block]] = {}
    for block in blocks:
        groups.setdefault(block.material, []).append(block)
    scene = trimesh.Scene()
    for number, ((kind, color), members) in enumerate(groups.items()):
        mesh = trimesh.util.concatenate([trimesh.creation.box(bounds=np.array([b.lo, b.hi])) for b in members])
        mesh.unmerge_vertices()
        axis = np.abs(mesh.face_normals).argmax(axis=1).repeat(3)  # three vertices a face, in order
        rows = np.arange(len(axis))
        uv = np.stack([mesh.vertices[rows, (axis + 1) % 3], mesh.vertices[rows, (axis + 2) % 3]], axis=1)
        mesh.apply_transform(to_file)
        if kind == "plain":
            material = PBRMaterial(baseColorFactor=[*linear(color), 1.0], roughnessFactor=0.8, metallicFactor=0.0)
        else:
            image = Image.fromarray(tile(kind, color)[::2, ::2])
            material = PBRMaterial(baseColorTexture=image, roughnessFactor=0.8, metallicFactor=0.0)
        mesh.visual = TextureVisuals(uv=uv, material=material)
        mesh.vertex_normals  # noqa: B018  computed here, so that they are exported
        scene.add_geometry(mesh, node_name=f"part_{number}", geom_name=f"part_{number}")
    return bytes(scene.export(file_type="glb", include_normals=True))
