"""Collision files are split and cooked as the original's engine does it; the recordings are in ``test_collision_hulls``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sapien import physx

from eval.sim.hulls import convex_pieces, hull_around, hull_shape, hull_vertices

MATERIAL = physx.PhysxMaterial(0.5, 0.5, 0.0)
TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf {0} {1} {2}\nf {0} {1} {3}\nf {0} {2} {3}\nf {1} {2} {3}\n"


def test_touching_meshes_of_a_file_stay_apart_and_components_of_one_come_apart(tmp_path: Path) -> None:
    file = tmp_path / "collision.obj"
    far = TETRAHEDRON.format(5, 6, 7, 8).replace("v 0 0 1", "v 0 0 2").replace("v 0", "v 9").replace("v 1", "v 10")
    file.write_text(TETRAHEDRON.format(1, 2, 3, 4) + far + "o touches the first\n" + TETRAHEDRON.format(-4, -3, -2, -1))
    first, second, third = convex_pieces(file)
    np.testing.assert_array_equal(first, third)
    assert second[:, 0].min() == 9


def test_vertices_come_as_the_faces_name_them_and_equal_ones_once(tmp_path: Path) -> None:
    file = tmp_path / "collision.obj"
    twice = "v 0 1 0\nv 1 0 0\nv 0 0 0\nv 1 0 0\nv 0 0 1\nf 3/1/1 2/2/1 1/3/1\nf 3 4 5\nf 3 1 5\nf 2 1 5\n"
    file.write_text("# a remark\n" + twice)
    (piece,) = convex_pieces(file)
    np.testing.assert_array_equal(piece, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def test_a_thin_hull_stays_thin() -> None:
    sliver = np.array([[0, 0, 0], [1e-2, 0, 0], [0, 1e-2, 0], [1e-2, 1e-2, 1e-5]], dtype=np.float32)
    thick = physx.PhysxCollisionShapeConvexMesh(vertices=sliver, scale=[1, 1, 1], material=MATERIAL)
    assert np.ptp(thick.vertices[:, 2]) > 5e-4  # PhysX 5 thickened it; see the next lines
    np.testing.assert_allclose(
        np.ptp(hull_vertices(hull_shape(hull_around(sliver), MATERIAL)), axis=0), [1e-2, 1e-2, 1e-5], rtol=1e-4
    )
