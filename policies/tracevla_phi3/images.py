"""From the camera to the two images that the model sees. The trace is drawn between the two steps of resampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from policies.base import Observation
from policies.phi3v.camera_transforms import ImageArray, as_rgb, jpeg_and_resize
from policies.phi3v.threads import THREADS

CAMERA_SIDE, MODEL_SIDE = 256, 336
"""Pixels; training images were stored and traced at the first and enlarged to the second."""


class Traced(Protocol):
    """An image with its trace, or the image itself where there is none."""

    @property
    def image(self) -> ImageArray:
        """(256, 256, 3)."""

    @property
    def has_trace(self) -> bool:
        """Whether a trace was drawn."""


class Tracer(Protocol):
    """Draws traces for episodes."""

    def step(self, images: Mapping[str, ImageArray]) -> Mapping[str, Traced]:
        """One (256, 256, 3) image an episode -> the same with its trace."""


def camera_image(observation: Observation) -> ImageArray:
    """(256, 256, 3), before a trace is drawn."""
    return jpeg_and_resize(as_rgb(observation.image), CAMERA_SIDE)


def model_images(
    observations: Sequence[Observation], small: Sequence[ImageArray], tracer: Tracer
) -> list[tuple[ImageArray, ImageArray, bool]]:
    """(plain, traced, whether there is a trace) for every observation and its camera image, each image (336, 336, 3).

    Without a trace the second image is the first, the same array. The plain images are enlarged while the tracker works.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        plain = [pool.submit(jpeg_and_resize, image, MODEL_SIDE) for image in small]
        traced = tracer.step({observation.episode: image for observation, image in zip(observations, small, strict=True)})
        results = [traced[observation.episode] for observation in observations]
        second = [pool.submit(jpeg_and_resize, each.image, MODEL_SIDE) if each.has_trace else None for each in results]
        return [
            (first.result(), (first if other is None else other).result(), other is not None)
            for first, other in zip(plain, second, strict=True)
        ]
