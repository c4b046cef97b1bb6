"""The objects have the true sizes."""

import numpy as np
import pytest
import trimesh

from eval.assets.resolver import Assets
from eval.assets.stand_ins.objects import MODELS
from eval.sim.hulls import convex_pieces

ASSETS = Assets([])


@pytest.mark.parametrize("model", sorted(MODELS))
def test_visual_and_collision_mesh_of_a_model_fill_the_same_space(model):
    seen = trimesh.load(ASSETS.visual(model), force="mesh").bounds
    pieces = convex_pieces(ASSETS.collision(model))
    felt = np.array([np.min([p.min(axis=0) for p in pieces], axis=0), np.max([p.max(axis=0) for p in pieces], axis=0)])
    np.testing.assert_allclose(seen, felt, atol=0.012)
    assert all(len(piece) <= 255 for piece in pieces)  # PhysX's limit for a hull


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("opened_coke_can", (0.0669, 0.1228, 0.0663)),
        ("baked_opened_pepsi_can_v2", (0.0668, 0.1242, 0.0668)),
        ("bridge_plate_objaverse_larger", (0.11, 0.11, 0.006)),
        ("bridge_carrot_generated_modified", (0.1183, 0.0322, 0.0412)),
        ("baked_green_cube_3cm", (0.03, 0.03, 0.03)),
    ],
)
def test_models_have_the_true_size(model, size):
    extents = trimesh.load(ASSETS.visual(model), force="mesh").extents
    np.testing.assert_allclose(extents, size, atol=0.0085 if "carrot" in model else 0.001)
