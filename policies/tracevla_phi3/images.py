"""From the camera to the two images that the model sees. The trace is drawn between the two steps of resampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from policies.base import Observation
from policies.phi3v.camera_transforms import ImageArray, as_rgb, jpeg_and_resize, jpeg_and_resize_all

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

    Without a trace the second image is the first, the same array.
    """
    traced = tracer.step({observation.episode: image for observation, image in zip(observations, small, strict=True)})
    results = [traced[observation.episode] for observation in observations]
    traced_images = [result.image for result in results if result.has_trace]
    large = jpeg_and_resize_all([*small, *traced_images], MODEL_SIDE)
    second = iter(large[len(small) :])
    return [
        (plain, next(second), True) if result.has_trace else (plain, plain, False)
        for plain, result in zip(large, results, strict=False)  # those with a trace follow at the end
    ]
