"""Collision hulls of the original files, against those the original's engine made of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from eval.envs import Assets
from eval.envs.objects import convex_pieces

SHARED = Path(__file__).parents[3] / "shared"
RECORDED = SHARED / "simpler_spec" / "objects_2_2_2.json"
pytestmark = pytest.mark.skipif(not RECORDED.is_file(), reason="the recordings of the original are not beside this checkout")


@pytest.fixture(scope="module")
def assets() -> Assets:
    pack = subprocess.run([str(SHARED / "assets" / "unpack")], check=True, capture_output=True, text=True)
    return Assets.from_option(pack.stdout.strip())


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
