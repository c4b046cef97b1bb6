"""From the camera to the two images that the model sees. The trace is drawn between the two steps of resampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from policies.base import Observation
from policies.phi3v.camera_transforms import CAMERA_SIDE, ImageArray, as_rgb, from_stored, jpeg_and_resize, stored_small
from policies.phi3v.threads import on_threads


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


class Views(NamedTuple):
    """What the model sees, (336, 336, 3) each."""

    plain: ImageArray
    traced: ImageArray
    """The same array as ``plain`` where there is no trace."""
    has_trace: bool


class CameraImages(NamedTuple):
    """What is made of one observation alone."""

    small: ImageArray
    """(256, 256, 3), before a trace is drawn."""
    plain: ImageArray
    """The same, (336, 336, 3)."""
    views: Views | None
    """None: the tracker has not seen the image yet, it wants all episodes together."""


def small_image(image: ImageArray | None) -> ImageArray:
    """A camera image as (256, 256, 3), on which traces are drawn."""
    return jpeg_and_resize(as_rgb(image), CAMERA_SIDE)


def enlarged(image: ImageArray) -> ImageArray:
    """A small image, with a trace or without, as the model sees it: (336, 336, 3)."""
    return from_stored(stored_small(image))


def camera_images(observation: Observation, tracer: Tracer | None) -> CameraImages:
    """Work on one observation; with a ``tracer`` that may be asked about one episode at a time, all of it."""
    small = small_image(observation.image)
    plain = enlarged(small)
    if tracer is None:
        return CameraImages(small, plain, None)
    return CameraImages(small, plain, _views(plain, tracer.step({observation.episode: small})[observation.episode]))


def model_images(episodes: Sequence[str], cameras: Sequence[CameraImages], tracer: Tracer) -> list[Views]:
    """What the model sees of every episode, from what was made of its observation."""
    new = {episode: camera.small for episode, camera in zip(episodes, cameras, strict=True) if camera.views is None}
    traced = tracer.step(new) if new else {}
    lacking = [(camera.plain, traced[episode]) for episode, camera in zip(episodes, cameras, strict=True) if episode in new]
    made = iter(on_threads(lambda each: _views(*each), lacking))
    return [next(made) if camera.views is None else camera.views for camera in cameras]


def _views(plain: ImageArray, traced: Traced) -> Views:
    return Views(plain, enlarged(traced.image) if traced.has_trace else plain, traced.has_trace)
