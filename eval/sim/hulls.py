"""Convex hulls of collision files, vertex for vertex those that the original's engine makes.

SAPIEN 2.2.2 joins equal vertices, splits every mesh of a file into connected components and cooks a hull of each
(docs/simpler.md Q4).
Which vertices a hull keeps depends on the order they are given in and on their last bit, so both are reproduced here.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sapien import physx
from scipy.spatial import KDTree

FLAT = 1e-6
"""m; PhysX replaces a cloud that is flatter than this by a box."""
ENLARGED = 1000.0
"""Thin hulls are cooked this many times larger, then scaled down: PhysX 5 thickens those below 0.7 mm, PhysX 4 does not."""

Vertices = NDArray[np.float32]


@cache
def convex_pieces(path: Path) -> tuple[Vertices, ...]:
    """Vertices (m, 3) of every connected component of every mesh of a collision file.

    SAPIEN 3's own loader would make one hull per node of the file. Meshes of one file often touch: joined across them, the 82
    pieces of the sink would become 58, and its basin would be filled.
    """
    return tuple(_rounded(piece) for triangles in _meshes(path) for piece in _components(triangles))


def _meshes(path: Path) -> list[Vertices]:
    """Corners (3 * triangles, 3) of every mesh of a Wavefront file, in the file's order.

    Read here, since the libraries that read such files give meshes and faces in an order of their own.
    """
    vertices: list[list[float]] = []
    meshes: list[list[int]] = [[]]
    for line in path.read_text(errors="replace").splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words[:3]])
        elif kind in ("o", "g", "usemtl"):
            meshes.append([])
        elif kind == "f":
            corners = [int(word.partition("/")[0]) for word in words]
            corners = [corner - 1 if corner > 0 else corner + len(vertices) for corner in corners]
            meshes[-1] += [corner for second, third in pairwise(corners[1:]) for corner in (corners[0], second, third)]
    points = np.array(vertices, dtype=np.float32).reshape(-1, 3)
    return [points[mesh] for mesh in meshes if mesh]


def _components(named: Vertices) -> list[Vertices]:
    """Vertices numbered as the faces first name them; each component in the order of a search that goes deep first."""
    _, first, joined = np.unique(named, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    vertices, faces = named[first[order]], number[joined.reshape(-1, 3)]
    edges = np.concatenate([faces, np.roll(faces, -1, axis=1)]).reshape(2, -1).T
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    starts = np.searchsorted(edges[:, 0], np.arange(len(vertices) + 1)).tolist()
    ends = edges[:, 1].tolist()
    seen = [False] * len(vertices)
    pieces = []
    for root in range(len(vertices)):
        if seen[root]:
            continue
        seen[root] = True
        piece, waiting = [root], [root]
        while waiting:
            here = waiting.pop()
            for near in ends[starts[here] : starts[here + 1]]:
                if not seen[near]:
                    seen[near] = True
                    piece.append(near)
                    waiting.append(near)
        pieces.append(vertices[piece])
    return pieces


def _rounded(vertices: Vertices) -> Vertices:
    """As PhysX 4 keeps them: scaled to a unit box and back."""
    size = vertices.max(axis=0) - vertices.min(axis=0)
    if (size < FLAT).any():
        return vertices
    unit = vertices * (np.float32(1.0) / size)
    rounded: Vertices = unit * size
    return rounded


class Hull(NamedTuple):
    """The cooked mesh, and the scale of the shape."""

    vertices: Vertices
    scale: float


@cache
def hulls_of(path: Path) -> tuple[Hull, ...]:
    """The hulls of a collision file; whether one is thin is determined once a process."""
    return tuple(hull_around(piece) for piece in convex_pieces(path))


def hull_around(vertices: Vertices) -> Hull:
    """The hull around ``vertices`` (m, 3), metres, as thin as they are."""
    cooked = hull_shape(Hull(vertices, 1.0), physx.PhysxMaterial(0.0, 0.0, 0.0)).vertices
    away, nearest = KDTree(vertices).query(cooked)
    if away.max() < FLAT:
        return Hull(vertices, 1.0)
    return Hull(vertices[nearest] * np.float32(ENLARGED), 1 / ENLARGED)


def hull_shape(hull: Hull, material: physx.PhysxMaterial) -> physx.PhysxCollisionShapeConvexMesh:
    """The shape of a hull."""
    return physx.PhysxCollisionShapeConvexMesh(vertices=hull.vertices, scale=[hull.scale] * 3, material=material)


def hull_vertices(shape: physx.PhysxCollisionShapeConvexMesh) -> Vertices:
    """(m, 3) metres, in the shape's frame."""
    vertices: Vertices = np.multiply(shape.vertices, shape.scale, dtype=np.float32)
    return vertices
