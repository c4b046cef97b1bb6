"""What the policy saw and meant, as a panel beside the camera image.

Read from ``Action.notes``; every key may be missing:
``images`` (``pictures`` before version 0.2) the model's input images, (H, W, 3) uint8 each; ``labels`` one word or two for
each of them;
``values`` the action as the model meant it, before it becomes a robot action.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

VALUE_NAMES = ("dx", "dy", "dz", "roll", "pitch", "yaw", "grip")
IMAGES = 2
"""That a panel has room for."""
MARGIN = 4
TEXT_ROW = 20
"""Height of a line of text, pixels."""
SMALLEST = 8
"""Pixels; a smaller image shows nothing."""
WHITE, GREY = (240, 240, 240), (170, 170, 170)


def shows_anything(notes: object) -> bool:
    """Whether notes hold something that the panel shows."""
    return isinstance(notes, Mapping) and any(key in notes for key in ("images", "pictures", "values"))


def panel_width(height: int) -> int:
    """Width of the panel beside a camera image of ``height`` rows: two square images fit one above the other."""
    return height // 2


def policy_panel(notes: Mapping[str, Any], height: int) -> NDArray[np.uint8]:
    """(height, panel_width(height), 3): up to two input images with their labels, then the action values.

    Raises ValueError for notes that are something else.
    """
    if not isinstance(notes, Mapping):
        raise ValueError(f"they are a {type(notes).__name__}, not a mapping with images, labels and values")
    width = panel_width(height)
    panel = np.zeros((height, width, 3), np.uint8)
    given = list(notes.get("images", notes.get("pictures", ())))
    images = [_image(image, f"images[{number}]") for number, image in enumerate(given[:IMAGES])]
    labels = [str(label) for label in notes.get("labels", ())]
    values = notes.get("values")
    lines = _value_lines(values) if values is not None else []
    free = height - len(lines) * TEXT_ROW - len(images) * TEXT_ROW
    side = min(width - 2 * MARGIN, free // max(len(images), 1))
    row = 0
    for number, image in enumerate(images):
        label = labels[number] if number < len(labels) else f"input {number + 1}"
        _write(panel, label, row, GREY)
        row += TEXT_ROW
        if side < SMALLEST:
            continue
        left = (width - side) // 2
        panel[row : row + side, left : left + side] = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        row += side
    for line in lines:
        _write(panel, line, row, WHITE)
        row += TEXT_ROW
    return panel


def too_many_images(notes: object) -> int:
    """How many images notes hold, where the panel does not show all; else 0."""
    images = notes.get("images", notes.get("pictures", ())) if isinstance(notes, Mapping) else ()
    count = len(images) if hasattr(images, "__len__") else 0
    return count if count > IMAGES else 0


def _image(given: object, name: str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8; integers that fit are taken, too."""
    image = np.asarray(given)
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"{name} has shape {image.shape}, not (H, W, 3)")
    if image.dtype != np.uint8 and (image.dtype.kind not in "iu" or image.min() < 0 or image.max() > 255):
        raise ValueError(f"{name} holds {image.dtype} values, not uint8 from 0 to 255")
    return image.astype(np.uint8, copy=False)


def _value_lines(values: Iterable[float]) -> list[str]:
    """The seven numbers in three lines: translation, rotation, gripper."""
    parts = [f"{name} {float(value):+.3f}" for name, value in zip(VALUE_NAMES, values, strict=False)]
    return ["  ".join(part) for part in (parts[:3], parts[3:6], parts[6:]) if part]


def _write(panel: NDArray[np.uint8], text: str, row: int, color: tuple[int, int, int]) -> None:
    scale = min(0.42, panel.shape[1] / 620)
    cv2.putText(panel, text, (MARGIN, row + TEXT_ROW - 6), cv2.FONT_HERSHEY_SIMPLEX, scale, color, 1, cv2.LINE_AA)
