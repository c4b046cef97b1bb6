"""The camera image as the policies were trained to see it: through JPEG, then resampled.

Reproduces TensorFlow's image functions without it, so the order of every float32 operation is part of the recipe.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import csr_array

from eval.errors import UserError
from policies.base import Observation
from policies.phi3v.threads import on_threads

ImageArray = NDArray[np.uint8]
"""(H, W, 3) RGB."""

RADIUS = np.float32(3)
CAMERA_SIDE, MODEL_SIDE = 256, 336
"""Pixels; training images were stored (and traced) at the first and enlarged to the second."""


def as_rgb(image: NDArray[np.uint8] | None) -> ImageArray:
    """A camera image as (H, W, 3) uint8: grey is repeated, an alpha channel dropped."""
    if image is None:
        raise UserError("The policy needs images, but this observation has none.")
    if image.dtype != np.uint8:
        raise UserError(f"An image must be uint8 with values 0..255, not {image.dtype}.")
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
        raise UserError(f"An image must be (height, width, 3), not {image.shape}.")
    if image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    return np.ascontiguousarray(image[:, :, :3])


def camera_images(observations: Sequence[Observation]) -> list[ImageArray]:
    """The camera image of every observation as (H, W, 3) RGB."""
    return [as_rgb(observation.image) for observation in observations]


def jpeg_and_resize_all(images: Sequence[ImageArray], side: int) -> list[ImageArray]:
    """:func:`jpeg_and_resize` for many images."""
    return on_threads(lambda image: jpeg_and_resize(image, side), images)


def stored(image: NDArray[np.uint8] | None) -> bytes:
    """A camera image as the training data holds it: a JPEG file of 256 x 256 pixels."""
    return stored_small(jpeg_and_resize(as_rgb(image), CAMERA_SIDE))


def stored_small(image: ImageArray) -> bytes:
    """The same of an image that has been resampled already, whatever was drawn on it since."""
    return jpeg_encode(image)


def from_stored(data: bytes) -> ImageArray:
    """(336, 336, 3), what the model sees of a :func:`stored` image."""
    return decode_and_resize(data, MODEL_SIDE)


def jpeg_and_resize(image: ImageArray, side: int) -> ImageArray:
    """Through JPEG, then to ``side`` x ``side`` pixels."""
    return decode_and_resize(jpeg_encode(image), side)


def decode_and_resize(data: bytes, side: int) -> ImageArray:
    """A JPEG file to ``side`` x ``side`` pixels."""
    resized = lanczos3(jpeg_decode(data), side)
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)


def jpeg_round_trip(image: ImageArray) -> ImageArray:
    """What is left after JPEG (quality 95, 4:2:0) and the fast decoding that TensorFlow uses."""
    return np.asarray(jpeg_decode(jpeg_encode(image)))


def jpeg_encode(image: ImageArray) -> bytes:
    """The file; its bytes are those of TensorFlow's encoder, density entry included."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95, subsampling="4:2:0", dpi=(300, 300))
    return file.getvalue()


def jpeg_decode(data: bytes) -> ImageArray:
    """(H, W, 3), with the fast inverse transform and smooth chroma."""
    return np.asarray(simplejpeg.decode_jpeg(data, fastdct=True, fastupsample=False), dtype=np.uint8)


def lanczos3(image: ImageArray, side: int) -> NDArray[np.float32]:
    """(side, side, 3) float32, not rounded; rows first, then columns.

    The sparse product adds up the taps one after the other in float32, as the original loop does.
    """
    height, width = image.shape[:2]
    tall = taps(height, side) @ image.reshape(height, -1).astype(np.float32)
    transposed = cv2.transpose(tall.reshape(side, width, 3)).reshape(width, -1)  # numpy takes three times as long
    out = taps(width, side) @ transposed
    return np.asarray(cv2.transpose(out.reshape(side, side, 3)), dtype=np.float32)


@lru_cache(maxsize=32)
def taps(n_in: int, n_out: int) -> csr_array:
    """(n_out, n_in) weights of :func:`lanczos3`; computed step by step in float32."""
    one, half = np.float32(1), np.float32(0.5)
    inverse = one / (np.float32(n_out) / np.float32(n_in))
    stretch = max(inverse, one)
    shrink = one / stretch
    pointers, columns, weights = [0], [], []
    for o in range(n_out):
        centre = (np.float32(o) + half) * inverse
        first = max(int(np.ceil(centre - RADIUS * stretch - half)), 0)
        last = min(int(np.floor(centre + RADIUS * stretch - half)), n_in - 1)
        where = np.arange(first, last + 1)
        weight = _kernel((where.astype(np.float32) + half - centre) * shrink)
        total = np.add.accumulate(weight)[-1]  # one after the other; np.sum would add pairwise
        columns.append(where)
        weights.append(weight * (one / total))
        pointers.append(pointers[-1] + len(where))
    data = np.concatenate(weights).astype(np.float32)
    return csr_array((data, np.concatenate(columns), pointers), shape=(n_out, n_in))


def _kernel(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lanczos window of radius 3 at ``x``."""
    x = np.abs(x)
    pi = np.float32(np.pi)
    safe = np.where(x > 1e-3, x, np.float32(1))
    value = RADIUS * _sine(pi * safe) * _sine(pi * safe / RADIUS) / (pi * pi * safe * safe)
    return np.where(x > RADIUS, np.float32(0), np.where(x <= 1e-3, np.float32(1), value)).astype(np.float32)


def _sine(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correctly rounded, which numpy's own float32 sine is not."""
    return np.sin(x.astype(np.float64)).astype(np.float32)
