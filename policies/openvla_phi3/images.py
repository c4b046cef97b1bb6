"""From the camera to the one image that the model sees."""

from __future__ import annotations

from policies.base import Observation
from policies.phi3v.camera_transforms import ImageArray, from_stored, stored


def model_image(observation: Observation) -> ImageArray:
    """(336, 336, 3)."""
    return from_stored(stored(observation.image))
