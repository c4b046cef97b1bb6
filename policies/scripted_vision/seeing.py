"""Finding a thing of known colours in an image, and where it lies on the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from policies.scripted_vision.camera import Array, Camera

HUES = 180
"""OpenCV's circle of hues."""
FEWEST = 150
"""pixels; less is no thing."""
ENDS = (2.0, 98.0)
"""Percentiles at which a silhouette ends."""


@dataclass(frozen=True)
class Colour:
    """A box in OpenCV's HSV space, ends included; a hue that begins above its end goes through red."""

    hue: tuple[int, int]
    saturation: tuple[int, int]
    value: tuple[int, int]


@dataclass(frozen=True)
class Silhouette:
    """A thing as it is seen, projected onto a horizontal plane at half its height; the base's frame."""

    centre: Array
    """(2,) m."""
    axis: Array
    """(2,) unit, its longer direction."""
    length: float
    """m along ``axis``."""
    width: float
    """m across it."""
    pixels: int


def in_colours(hsv: NDArray[np.uint8], colours: Sequence[Colour]) -> NDArray[np.uint8]:
    """(H, W) 255 where a pixel of an image (H, W, 3) in HSV has one of the colours, else 0."""
    mask = np.zeros(hsv.shape[:2], np.uint8)
    for colour in colours:
        low, high = colour.hue
        for begin, end in ((low, high),) if low <= high else ((low, HUES), (0, high)):
            first, last = (np.array([h, s, v]) for h, s, v in zip((begin, end), colour.saturation, colour.value, strict=True))
            mask |= cv2.inRange(hsv, first, last).astype(np.uint8)
    return mask


def find(hsv: NDArray[np.uint8], colours: Sequence[Colour], camera: Camera, height: float) -> Silhouette | None:
    """The largest patch of these colours, on the plane at ``height`` m; None if there is none of a thing's size."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats(in_colours(hsv, colours), connectivity=8)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA]))
    pixels = int(facts[largest, cv2.CC_STAT_AREA])
    if pixels < FEWEST:
        return None
    rows, columns = np.nonzero(labels == largest)
    points = camera.on_plane(np.column_stack([columns, rows]).astype(np.float64) + 0.5, height)
    centre = points.mean(axis=0)
    directions = np.linalg.eigh(np.cov((points - centre).T))[1]
    across, along = ((points - centre) @ directions).T
    length, width = (float(np.ptp(np.percentile(spread, ENDS))) for spread in (along, across))
    return Silhouette(centre, directions[:, 1], length, width, pixels)
