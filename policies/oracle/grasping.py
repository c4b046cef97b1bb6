"""Grasping an object from above: position and rotation of the tool."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from policies.base import Privileged
from policies.motion import Array, Hand, grasp_rotation, rotation

ALIKE = 0.8
"""Ratio of two sides of an object from which on it counts as round or square."""
SQUARE = 0.04
"""m; what is narrower than this and alike is taken across a side. All larger things that are alike are round."""
GAP = 0.002
"""m, from what the object lies on up to the fingertips: fingers that rub on it push the hand up and off a thin thing."""
THIN = 0.05
"""m, height up to which both fingers come down equally far: from fingers of unequal height a low thing slips away.
Higher things may be taken with a slanted hand, which reaches farther."""
LOW, ABOVE = 0.07, 0.02
"""m, least height of the tool above an object's middle on the way to it, and above its top."""


def grasp_of(hand: Hand, state: Privileged, name: str) -> tuple[Array, Rotation]:
    """World position (3,) and rotation of the tool when its fingers close around the object.

    They close across the narrower side. Around a flat object the tool stays behind its middle, along the direction in
    which the fingers point, so far that they stay clear of what it lies on.
    """
    pose, box = state.objects[name], state.boxes[name]
    height = (box[1] - box[0])[_upright(pose)]
    turned = grasp_rotation(hand, state, pose[:3], _across(state, pose, box), level=height < THIN)
    approach = turned.as_matrix()[:, hand.approach]
    missing = _extent(pose, box)[0] + GAP + hand.fingertips * -approach[2]
    return pose[:3] - max(0.0, missing / -approach[2]) * approach, turned


def clearance(state: Privileged, name: str) -> float:
    """m, how far above an object's middle the tool passes without touching it.

    Open fingers end above the tool, so a little more than the object's top is enough. Higher up, a wrist that reaches
    far out is at its limit, and the way down takes longer.
    """
    return max(LOW, _extent(state.objects[name], state.boxes[name])[1] + ABOVE)


def _extent(pose: Array, box: Array) -> tuple[float, float]:
    """m, from an object's origin to its lowest and its highest point."""
    ends = box * rotation(pose).as_matrix()[2]
    return float(np.minimum(*ends).sum()), float(np.maximum(*ends).sum())


def _upright(pose: Array) -> int:
    """Which of an object's axes is the most upright."""
    return int(np.argmax(np.abs(rotation(pose).as_matrix()[2])))


def _across(state: Privileged, pose: Array, box: Array) -> Array | None:
    """(3,) horizontal world direction of the object's narrower side; of two alike, the one more sideways to the arm.

    None for round things, which are taken sideways to the arm.
    """
    axes, sides = rotation(pose).as_matrix(), box[1] - box[0]
    narrow, wide = sorted((i for i in range(3) if i != _upright(pose)), key=lambda i: float(sides[i]))
    if sides[narrow] > ALIKE * sides[wide]:
        if sides[narrow] > SQUARE:
            return None
        forward = pose[:2] - state.base[:2]
        narrow = min(narrow, wide, key=lambda i: abs(float(axes[:2, i] @ forward)))
    return np.array([*axes[:2, narrow], 0.0])
