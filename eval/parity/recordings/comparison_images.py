"""Images that should be equal, made small enough for a page."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from eval.parity.report import ImagePair

WIDTH = 320
"""pixels on the page."""
AMPLIFIED = 8
"""Factor; a difference of 32 of 255 and more is white."""
QUALITY = 85

Image = NDArray[np.uint8]


def difference(a: Image, b: Image) -> float:
    """Mean absolute difference, of 255; 0 for empty images."""
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean()) if a.size else 0.0


def image_pair(key: str, frame: str, ours: Image, original: Image) -> ImagePair:
    """A pair with its difference, from two images (H, W, 3) of the same size."""
    apart = np.abs(ours.astype(np.int16) - original.astype(np.int16))
    amplified = np.clip(apart * AMPLIFIED, 0, 255).astype(np.uint8)
    small = [small_jpeg(image) for image in (ours, original, amplified)]
    return ImagePair(key, frame, small[0], small[1], small[2], difference(ours, original))


def small_jpeg(image: Image, width: int = WIDTH, quality: int = QUALITY) -> bytes:
    """An image (H, W, 3) as a JPEG file of this width."""
    height = round(image.shape[0] * width / image.shape[1])
    file = io.BytesIO()
    Pillow.fromarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)).save(file, "JPEG", quality=quality)
    return file.getvalue()
