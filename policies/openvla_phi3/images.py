"""From the camera to the one image that the model sees."""

from __future__ import annotations

from policies.base import Observation
from policies.phi3v.camera_transforms import ImageArray, as_rgb, jpeg_and_resize

CAMERA_SIDE, MODEL_SIDE = 256, 336
"""Pixels; training images were stored at the first and enlarged to the second."""


def model_image(observation: Observation) -> ImageArray:
    """(336, 336, 3)."""
    return jpeg_and_resize(jpeg_and_resize(as_rgb(observation.image), CAMERA_SIDE), MODEL_SIDE)
