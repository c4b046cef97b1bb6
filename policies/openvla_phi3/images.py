"""From the camera to the one picture that the model sees."""

from __future__ import annotations

from collections.abc import Sequence

from policies.base import Observation
from policies.phi3v.camera_transforms import Picture, camera_pictures, steps

CAMERA_SIDE, MODEL_SIDE = 256, 336
"""Pixels; training pictures were stored at the first and enlarged to the second."""


def model_pictures(observations: Sequence[Observation]) -> list[Picture]:
    """(336, 336, 3) for every observation."""
    return steps(steps(camera_pictures(observations), CAMERA_SIDE), MODEL_SIDE)
