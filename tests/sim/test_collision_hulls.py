"""Collision hulls of the original files, against those the original's engine made of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sapien
from recordings import SHARED, golden, needs_bulk
from sapien import physx

from eval.assets.resolver import Assets
from eval.sim.hulls import convex_pieces, hull_shape, hull_vertices, hulls_of
from eval.sim.robots.articulation import load_robot
from eval.sim.robots.geometry import robot_geometry

HULLS = SHARED / "simpler_spec" / "hulls_2_2_2.npz"
RECORDED = golden("simpler_spec/objects_2_2_2.json")
pytestmark = needs_bulk


@pytest.fixture(scope="module")
def assets(pack: str) -> Assets:
    return Assets.from_option(pack)


@pytest.mark.parametrize(
    "model", ["sponge", "orange", "baked_apple_v2", "opened_pepsi_can", "baked_opened_redbull_can_v2", "eggplant", "sink"]
)
def test_hulls_are_those_of_the_original_engine(model: str, assets: Assets) -> None:
    """Vertex for vertex, in its order; the sliver-thin ones on top of the redbull can and one of the sink's to 12 um."""
    if not assets.is_original(f"data/custom/models/{model}/collision.obj"):
        pytest.skip(f"the pack lacks the collision file of {model}")
    with np.load(HULLS) as recorded:
        expected = np.split(recorded[f"{model}/v"], np.cumsum(recorded[f"{model}/n"])[:-1])
    material = physx.PhysxMaterial(0.5, 0.5, 0.0)
    ours = [hull_vertices(hull_shape(hull, material)) for hull in hulls_of(assets.collision(model))]
    assert [len(hull) for hull in ours] == [len(hull) for hull in expected]
    off = [np.abs(hull - other).max() for hull, other in zip(ours, expected, strict=True) if hull.shape == other.shape]
    exact = sum(worst == 0.0 for worst in off)
    assert exact >= len(ours) - {"baked_opened_redbull_can_v2": 5, "sink": 1}.get(model, 0)
    if model != "sink":
        assert max(off) < 1e-9


def test_loading_the_original_robots_prints_nothing(assets: Assets, capfd: pytest.CaptureFixture[str]) -> None:
    """Their collision files are STL, of which the loader warns file by file."""
    for family in ("google_robot", "widowx"):
        scene = sapien.Scene([physx.PhysxCpuSystem()])
        load_robot(scene, assets.robot_urdf(family, ""), robot_geometry(family), {}, False)
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


@pytest.mark.parametrize("model", ["sink", "sponge", "opened_pepsi_can", "bridge_spoon_generated_modified", "apple"])
def test_every_component_of_every_mesh_is_a_hull(model: str, assets: Assets) -> None:
    if not assets.is_original(f"data/custom/models/{model}/collision.obj"):
        pytest.skip(f"the pack lacks the collision file of {model}")
    recorded = json.loads(RECORDED.read_text())["objects"][model]
    pieces = convex_pieces(assets.collision(model))
    assert len(pieces) == recorded["n_convex"]
    vertices = np.concatenate(pieces)  # the engine drops vertices half a millimetre from its hull
    np.testing.assert_allclose(vertices.min(axis=0), recorded["min"], atol=6e-4)
    np.testing.assert_allclose(vertices.max(axis=0), recorded["max"], atol=6e-4)
