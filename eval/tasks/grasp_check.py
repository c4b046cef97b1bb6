"""Is an object held between the fingers? The original's test on impulses and directions (docs/simpler.md 3.5 and 4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

MIN_IMPULSE = 1e-6
"""N s; a shorter vector counts as zero and stands at 90 degrees to everything."""

SIDES: Mapping[str, tuple[tuple[tuple[str, float], ...], ...]] = {
    "google_robot": (
        (("link_finger_tip_left", 1.0), ("link_finger_left", 1.0)),
        (("link_finger_tip_right", 1.0), ("link_finger_right", 1.0)),
    ),
    "widowx": ((("left_finger_link", 1.0),), (("right_finger_link", -1.0),)),
}
"""By robot family: the links of each finger side, and the sign with which their y axis is the opening direction.
Google's finger nails are not looked at."""


def is_grasped(family: str, impulse_on: Callable[[str], Array], y_axes: Mapping[str, Array], max_angle: float) -> bool:
    """Whether both finger sides press on the object roughly along their opening direction.

    Args:
        family: ``google_robot`` or ``widowx``.
        impulse_on: link name -> (3,) impulse [N s] that the object gave to the link in the last substep, world frame.
        y_axes: link name -> (3,) unit y axis of the link, world frame.
        max_angle: degrees.
    """
    return all(_presses(side, impulse_on, y_axes, max_angle) for side in SIDES[family])


def angle_between(a: Array, b: Array) -> float:
    """Degrees between two vectors; 90 if either is shorter than ``MIN_IMPULSE``."""
    return math.degrees(math.acos(min(1.0, max(-1.0, float(np.dot(_unit(a), _unit(b)))))))


def _presses(
    side: tuple[tuple[str, float], ...],
    impulse_on: Callable[[str], Array],
    y_axes: Mapping[str, Array],
    max_angle: float,
) -> bool:
    """The strongest link must press, while any link's direction may do (docs/simpler.md 3.5)."""
    impulses = [impulse_on(link) for link, _ in side]
    angles = [
        angle_between(impulse, sign * np.asarray(y_axes[link])) for impulse, (link, sign) in zip(impulses, side, strict=True)
    ]
    return max(float(np.linalg.norm(impulse)) for impulse in impulses) >= MIN_IMPULSE and min(angles) <= max_angle


def _unit(vector: Array) -> NDArray[np.float64]:
    values = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(values))
    return np.zeros(3) if length < MIN_IMPULSE else values / length
