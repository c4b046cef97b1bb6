"""From the camera to the one image that the model sees."""

from __future__ import annotations

from collections.abc import Sequence

from policies.base import Observation
from policies.phi3v.camera_transforms import ImageArray, camera_images, jpeg_and_resize_all

CAMERA_SIDE, MODEL_SIDE = 256, 336
"""Pixels; training images were stored at the first and enlarged to the second."""


def model_images(observations: Sequence[Observation]) -> list[ImageArray]:
    """(336, 336, 3) for every observation."""
    return jpeg_and_resize_all(jpeg_and_resize_all(camera_images(observations), CAMERA_SIDE), MODEL_SIDE)
