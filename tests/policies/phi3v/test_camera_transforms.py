"""The image path and the turn of a hand, against plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("simplejpeg", reason="simplejpeg is not installed (make vla)")

from policies.phi3v.action_postprocessing import rotation_vector
from policies.phi3v.camera_transforms import jpeg_and_resize_all, lanczos3, taps


@pytest.mark.parametrize("side", [256, 336])
def test_the_taps_are_added_one_after_the_other(side: int) -> None:
    """Bit for bit what the plain loop over taps gives in float32."""
    image = np.random.default_rng(0).integers(0, 256, (60, 47, 3), dtype=np.uint8)
    values = image.astype(np.float32)
    for axis in (0, 1):
        weights = taps(values.shape[axis], side)
        rows = np.moveaxis(values, axis, 0)
        out = np.zeros((side, *rows.shape[1:]), np.float32)
        for o in range(side):
            for place in range(weights.indptr[o], weights.indptr[o + 1]):
                out[o] += weights.data[place] * rows[weights.indices[place]]
        values = np.moveaxis(out, 0, axis)
    made = lanczos3(image, side)
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, values)


def test_an_even_image_stays_even() -> None:
    made = jpeg_and_resize_all([np.full((31, 77, 3), 200, np.uint8)] * 2, 256)
    assert [image.shape for image in made] == [(256, 256, 3)] * 2
    assert np.abs(made[0].astype(int) - 200).max() <= 1


def test_small_turns_are_the_usual_rotation_vector() -> None:
    for roll, pitch, yaw in np.random.default_rng(1).uniform(-1, 1, (50, 3)):
        expected = Rotation.from_euler("xyz", [roll, pitch, yaw]).as_rotvec()
        np.testing.assert_allclose(rotation_vector(roll, pitch, yaw), expected, atol=1e-12)
    assert rotation_vector(0.0, 0.0, 0.0).tolist() == [0, 0, 0]
    assert np.linalg.norm(rotation_vector(4.0, 0.0, 0.0)) == pytest.approx(4.0)
