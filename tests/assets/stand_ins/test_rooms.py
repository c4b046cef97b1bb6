"""The rooms of the drawer tasks stand where the world puts their files."""

import numpy as np
import pytest
import sapien
import trimesh

from eval.assets.resolver import Assets
from eval.assets.stand_ins import rooms

ASSETS = Assets([])


@pytest.mark.parametrize("name", sorted(rooms.ROOMS))
def test_rooms_stand_upright_and_leave_room_for_cabinet_and_robot(name):
    mesh = trimesh.load(ASSETS.path(f"data/hab2_bench_assets/stages/{name}.glb"), force="mesh")
    # the placement of docs/simpler.md 9.1, written out independently of the generator
    if "bedroom" in name:
        turn, shift = sapien.Pose([0.178, -2.235, 1.669], [0.007, 0, 0, -1]), [1.6616, 3.0337, 0]
    elif "office" in name:
        turn, shift = sapien.Pose([-0.192, -1.728, 1.48], [0.709, 0, 0, -0.705]), [1.6616, 3.0337, 0]
    else:
        turn, shift = sapien.Pose(), [1.6616, 3.0337, 0]
    place = sapien.Pose(shift) * turn * sapien.Pose(q=[0.70710678, 0.70710678, 0, 0])
    matrix = place.to_transformation_matrix()
    world = mesh.vertices @ matrix[:3, :3].T / np.linalg.det(matrix[:3, :3]) ** (1 / 3) + matrix[:3, 3]
    assert world[:, 2].min() == pytest.approx(-0.1, abs=0.01)
    assert world[:, 2].max() > 2.5
    inside = (np.abs(world[:, 0]) < 0.9) & (np.abs(world[:, 1]) < 0.6) & (world[:, 2] > 0.02) & (world[:, 2] < 2)
    assert not inside.any()
