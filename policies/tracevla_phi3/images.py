"""From the camera to the two pictures that the model sees. The trace is drawn between the two steps of resampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from policies.base import Observation
from policies.phi3v.camera_transforms import Picture, camera_pictures, steps

CAMERA_SIDE, MODEL_SIDE = 256, 336
"""Pixels; training pictures were stored and traced at the first and enlarged to the second."""


class Traced(Protocol):
    """A picture with its trace, or the picture itself where there is none."""

    @property
    def image(self) -> Picture:
        """(256, 256, 3)."""

    @property
    def has_trace(self) -> bool:
        """Whether a trace was drawn."""


class Tracer(Protocol):
    """Draws traces for episodes."""

    def step(self, pictures: Mapping[str, Picture]) -> Mapping[str, Traced]:
        """One (256, 256, 3) picture an episode -> the same with its trace."""


def model_pictures(observations: Sequence[Observation], tracer: Tracer) -> list[tuple[Picture, Picture, bool]]:
    """(plain, traced, whether there is a trace) for every observation, each picture (336, 336, 3).

    Without a trace the second picture is the first, the same array.
    """
    small = steps(camera_pictures(observations), CAMERA_SIDE)
    traced = tracer.step({observation.episode: picture for observation, picture in zip(observations, small, strict=True)})
    results = [traced[observation.episode] for observation in observations]
    drawn = [result.image for result in results if result.has_trace]
    large = steps([*small, *drawn], MODEL_SIDE)
    second = iter(large[len(small) :])
    return [
        (plain, next(second), True) if result.has_trace else (plain, plain, False)
        for plain, result in zip(large, results, strict=False)  # the drawn ones follow at the end
    ]
