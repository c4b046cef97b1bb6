"""The two images of every observation, made on threads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from policies.base import Observation, Proprio
from policies.trace import PRESETS, TraceProcessors, TraceResult
from policies.trace.lucas_kanade import LucasKanadeTracker
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


@pytest.mark.parametrize("ahead", [False, True])
def test_every_observation_gets_its_own_images_in_order(ahead: bool) -> None:
    from policies.phi3v.camera_transforms import jpeg_and_resize
    from policies.tracevla_phi3.images import camera_images, model_images

    small = [synthetic_image("three", seed, 4) for seed in range(7)]
    observations = [Observation(str(i), 0, "widowx", "do it", image, FEELING) for i, image in enumerate(small)]
    cameras = [camera_images(seen, DarkTrace() if ahead and int(seen.episode) % 3 else None) for seen in observations]
    results = model_images([str(i) for i in range(7)], cameras, DarkTrace())
    assert len(results) == 7
    for i, (camera, (plain, second, traced)) in enumerate(zip(cameras, results, strict=True)):
        image = camera.small
        assert traced == bool(i % 2)
        assert np.array_equal(plain, jpeg_and_resize(image, 336))
        if traced:
            assert np.array_equal(second, jpeg_and_resize(image // 2, 336))
        else:
            assert second is plain


def test_traces_drawn_ahead_one_episode_at_a_time_are_those_of_the_batch() -> None:
    from policies.tracevla_phi3.images import camera_images, model_images

    together, ahead = (TraceProcessors(LucasKanadeTracker("test"), PRESETS["released"]) for _ in range(2))
    names = ["a", "b", "c"]
    for traces in (together, ahead):
        for number, name in enumerate(names):
            traces.begin(name, number, 15)
    drawn = 0
    for step in range(14):
        seen = [
            Observation(n, step, "widowx", "do it", synthetic_image("three", i, step), FEELING) for i, n in enumerate(names)
        ]
        expected = model_images(names, [camera_images(each, None) for each in seen], together)
        given = model_images(names, [camera_images(each, ahead) for each in reversed(seen)][::-1], ahead)
        for one, other in zip(expected, given, strict=True):
            assert one.has_trace == other.has_trace
            assert np.array_equal(one.traced, other.traced)
            drawn += one.has_trace
    assert drawn > 6
