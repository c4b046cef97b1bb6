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
MARGIN = 4
TEXT_ROW = 20
"""Height of a line of text, pixels."""
SMALLEST = 8
"""Pixels; a smaller image shows nothing."""
WHITE, GREY = (240, 240, 240), (170, 170, 170)


def panel_width(height: int) -> int:
    """Width of the panel beside a camera image of ``height`` rows: two square images fit one above the other."""
    return height // 2


def policy_panel(notes: Mapping[str, Any], height: int) -> NDArray[np.uint8]:
    """(height, panel_width(height), 3): up to two input images with their labels, then the action values."""
    width = panel_width(height)
    panel = np.zeros((height, width, 3), np.uint8)
    images = [np.asarray(image, dtype=np.uint8) for image in notes.get("images", notes.get("pictures", ()))][:2]
    labels = list(notes.get("labels", ()))
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


def _value_lines(values: Iterable[float]) -> list[str]:
    """The seven numbers in three lines: translation, rotation, gripper."""
    parts = [f"{name} {float(value):+.3f}" for name, value in zip(VALUE_NAMES, values, strict=False)]
    return ["  ".join(part) for part in (parts[:3], parts[3:6], parts[6:]) if part]


def _write(panel: NDArray[np.uint8], text: str, row: int, color: tuple[int, int, int]) -> None:
    scale = min(0.42, panel.shape[1] / 620)
    cv2.putText(panel, text, (MARGIN, row + TEXT_ROW - 6), cv2.FONT_HERSHEY_SIMPLEX, scale, color, 1, cv2.LINE_AA)
