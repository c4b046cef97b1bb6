"""The camera's image at the size that a server takes, resampled as its family does it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policies.remote.conventions import Resampling, Size

Image = NDArray[np.uint8]
"""(H, W, 3) RGB."""


def resized(image: Image, size: Size | None, resampling: Resampling) -> Image:
    """An image of ``size`` (height, width); the same one if it has it, or if there is none.

    ``area`` and ``linear`` are OpenCV's, ``lanczos`` is Pillow's; ``pad`` keeps the shape of things (bilinear, black borders),
    as openpi's client does.
    """
    if size is None or image.shape[:2] == tuple(size):
        return np.ascontiguousarray(image)
    height, width = size
    if resampling in ("area", "linear"):
        import cv2

        how = cv2.INTER_AREA if resampling == "area" else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, (width, height), interpolation=how), dtype=np.uint8)
    from PIL import Image as Pillow

    picture = Pillow.fromarray(image)
    if resampling == "lanczos":
        return np.asarray(picture.resize((width, height), Pillow.Resampling.LANCZOS))
    ratio = max(image.shape[1] / width, image.shape[0] / height)
    inner = picture.resize((int(image.shape[1] / ratio), int(image.shape[0] / ratio)), Pillow.Resampling.BILINEAR)
    whole = Pillow.new("RGB", (width, height))
    whole.paste(inner, (int((width - inner.width) / 2), int((height - inner.height) / 2)))
    return np.asarray(whole)
