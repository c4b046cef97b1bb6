"""The two images of every observation, made on threads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from policies.base import Observation, Proprio
from policies.trace import TraceResult
from policies.trace.synthetic import synthetic_image

pytest.importorskip("simplejpeg", reason="the extra vla is not installed")

FEELING = Proprio(np.zeros(3, np.float32), np.zeros(4, np.float32), 0.0, np.zeros(1, np.float32))


class DarkTrace:
    """Shows a trace to every other episode."""

    def step(self, images: Mapping[str, NDArray[np.uint8]]) -> dict[str, TraceResult]:
        return {
            episode: TraceResult(image // 2, True) if int(episode) % 2 else TraceResult(image, False)
            for episode, image in images.items()
        }


def test_every_observation_gets_its_own_images_in_order() -> None:
    from policies.phi3v.camera_transforms import jpeg_and_resize
    from policies.tracevla_phi3.images import model_images

    small = [synthetic_image("three", seed, 4) for seed in range(7)]
    observations = [Observation(str(i), 0, "widowx", "do it", image, FEELING) for i, image in enumerate(small)]
    results = model_images(observations, small, DarkTrace())
    assert len(results) == 7
    for i, (image, (plain, second, traced)) in enumerate(zip(small, results, strict=True)):
        assert traced == bool(i % 2)
        assert np.array_equal(plain, jpeg_and_resize(image, 336))
        if traced:
            assert np.array_equal(second, jpeg_and_resize(image // 2, 336))
        else:
            assert second is plain
