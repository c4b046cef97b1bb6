"""Where and how a hand takes an object from above."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from policies.oracle.motion import Array, Hand, grasp_rotation, rotation

ALIKE = 0.8
"""Ratio of two sides of an object from which on it counts as round or square."""
SQUARE = 0.04
"""m; what is narrower than this and alike is taken across a side. All larger things that are alike are round."""
PRESS = 0.008
"""m, how far the fingertips are sent below what the object lies on: half closed, they do not reach so far."""


def grasp_of(hand: Hand, state: Mapping[str, Any], name: str) -> tuple[Array, Rotation]:
    """World position (3,) and rotation of the tool when its fingers close around the object.

    They close across the narrower side. Around a flat object the tool stays behind its middle, along the direction in
    which the fingers point, so far that they hardly push against what it lies on.
    """
    pose, box = state["objects"][name], state["boxes"][name]
    turned = grasp_rotation(hand, state, pose[:3], _across(state, pose, box))
    approach = turned.as_matrix()[:, hand.approach]
    lowest = pose[2] + float(np.minimum(*(box * rotation(pose).as_matrix()[2])).sum())
    missing = lowest - PRESS + hand.fingertips * -approach[2] - pose[2]
    return pose[:3] - max(0.0, missing / -approach[2]) * approach, turned


def _across(state: Mapping[str, Any], pose: Array, box: Array) -> Array | None:
    """(3,) horizontal world direction of the object's narrower side; of two alike, the one more sideways to the arm.

    None for round things, which are taken sideways to the arm.
    """
    axes, sides = rotation(pose).as_matrix(), box[1] - box[0]
    upright = int(np.argmax(np.abs(axes[2])))
    narrow, wide = sorted((i for i in range(3) if i != upright), key=lambda i: float(sides[i]))
    if sides[narrow] > ALIKE * sides[wide]:
        if sides[narrow] > SQUARE:
            return None
        forward = pose[:2] - state["base"][:2]
        narrow = min(narrow, wide, key=lambda i: abs(float(axes[:2, i] @ forward)))
    return np.array([*axes[:2, narrow], 0.0])
