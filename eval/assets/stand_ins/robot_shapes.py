"""Shapes of the two robots, link by link, in the link frame [m].

Sizes are the extents of the true collision hulls, so that the simple robots fill the same space; forms and colours are
ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eval.assets.stand_ins.meshes import Rgb, Vec3

Look = Literal["box", "x", "y", "z"]
"""A box, or a cylinder along an axis."""


@dataclass(frozen=True)
class Block:
    """A box, or the cylinder that fills it along an axis, in a colour of the palette."""

    low: Vec3
    high: Vec3
    color: str
    look: Look = "box"
    collides: bool = True


@dataclass(frozen=True)
class Wedge:
    """A convex piece mirrored in one axis; rows of (half width along that axis, then the two other coordinates)."""

    axis: Literal["x", "y", "z"]
    rows: tuple[Vec3, ...]
    color: str
    visible: bool = True


Shape = Block | Wedge

GOOGLE_COLORS: dict[str, Rgb] = {
    "shell": (0.56, 0.57, 0.57),
    "arm": (0.62, 0.62, 0.6),
    "joint": (0.22, 0.23, 0.24),
    "gripper": (0.26, 0.26, 0.27),
    "finger": (0.52, 0.42, 0.26),
    "tip": (0.58, 0.48, 0.3),
    "nail": (0.2, 0.2, 0.2),
    "tyre": (0.02, 0.02, 0.02),
    "lens": (0.01, 0.01, 0.015),
    "accent": (0.06, 0.25, 0.5),
}

_WHEEL = (Block((-0.0645, -0.0101, -0.0645), (0.0645, 0.0099, 0.0645), "tyre", "y"),)
_REAR_WHEEL = (Block((-0.0381, -0.0111, -0.0381), (0.0381, 0.0111, 0.0381), "tyre", "y"),)
_FINGER = (
    Wedge(
        "x",
        (
            (0.0274, 0.0197, 0.0192),
            (0.0274, -0.0162, 0.0216),
            (0.0198, -0.0176, 0.0668),
            (0.0198, 0.0033, 0.0696),
        ),
        "finger",
    ),
)
_TIP = (
    Wedge(
        "x",
        (
            (0.0212, -0.0067, -0.0029),
            (0.0212, 0.0158, -0.0010),
            (0.0119, 0.0003, 0.0451),
            (0.0119, -0.0062, 0.0380),
        ),
        "tip",
    ),
)
_NAIL = (Block((-0.0075, -0.0024, -0.0016), (0.0075, 0.0002, 0.0016), "nail"),)

GOOGLE: dict[str, tuple[Shape, ...]] = {
    "link_base": (
        Block((-0.4022, -0.1888, -0.0369), (0.1377, 0.1888, 0.2128), "shell"),
        Block((-0.1131, -0.1005, 0.1985), (0.0978, 0.1005, 0.2490), "joint", "z"),
        Block((-0.0903, -0.0890, 0.2490), (0.0902, 0.0890, 0.5887), "shell", "z"),
        Block((-0.0717, -0.0712, 0.8009), (0.0710, 0.0712, 1.0662), "shell", "z"),
        Block((-0.0614, -0.0588, 1.0662), (0.0820, 0.0588, 1.1707), "joint"),
        Block((-0.0905, -0.0891, 0.40), (0.0904, 0.0891, 0.41), "accent", "z", collides=False),
    ),
    "link_wheel_left": _WHEEL,
    "link_wheel_right": _WHEEL,
    "link_rear_wheel_left": _REAR_WHEEL,
    "link_rear_wheel_right": _REAR_WHEEL,
    "link_torso": (
        Block((-0.0791, -0.0892, -0.0008), (0.0793, 0.0791, 0.2137), "arm", "z"),
        Block((-0.0527, -0.1685, 0.0619), (0.0513, -0.0892, 0.1659), "joint", "y"),
    ),
    "link_shoulder": (
        Block((-0.0657, -0.0585, -0.0657), (0.0659, 0.0820, 0.0747), "arm", "y"),
        Block((-0.0613, -0.0585, 0.0747), (0.0600, 0.0657, 0.2182), "arm", "z"),
    ),
    "link_bicep": (
        Block((-0.0567, -0.0571, 0.0), (0.0565, 0.0574, 0.1290), "arm", "z"),
        Block((-0.0567, -0.0677, 0.1290), (0.0565, 0.0535, 0.2370), "joint", "y"),
    ),
    "link_elbow": (
        Block((-0.0501, -0.1465, -0.0491), (0.0511, -0.0496, 0.0914), "arm", "z"),
        Block((-0.0512, -0.0496, -0.0512), (0.0511, 0.0005, 0.0587), "arm", "y"),
    ),
    "link_forearm": (
        Block((-0.0456, -0.0456, -0.0013), (0.0452, 0.0585, 0.1803), "arm", "z"),
        Block((-0.0334, -0.0101, 0.1803), (0.0331, 0.0608, 0.2268), "arm"),
        Block((-0.0411, -0.0101, 0.2268), (0.0408, 0.0641, 0.3143), "joint", "y"),
    ),
    "link_wrist": (
        Block((-0.0412, -0.0538, -0.0390), (0.0417, -0.0020, 0.1120), "arm", "z"),
        Block((-0.0403, -0.0020, 0.0387), (0.0408, 0.0463, 0.1120), "joint", "z"),
    ),
    "link_gripper": (Block((-0.0409, -0.0494, 0.0011), (0.0408, 0.0494, 0.0762), "gripper", "z"),),
    "link_finger_right": _FINGER,
    "link_finger_left": _FINGER,
    "link_finger_tip_right": _TIP,
    "link_finger_tip_left": _TIP,
    "link_finger_nail_right": _NAIL,
    "link_finger_nail_left": _NAIL,
    "link_head_pan": (
        Block((-0.0591, -0.0591, 0.0044), (0.0586, 0.0586, 0.0651), "shell", "z"),
        Block((-0.0566, -0.0566, 0.0651), (0.1056, 0.0573, 0.1542), "shell"),
    ),
    "link_head_tilt": (
        Block((-0.0338, -0.1125, -0.0467), (0.1210, -0.0520, 0.0464), "shell"),
        Block((0.0351, -0.0520, -0.0467), (0.1210, 0.0532, 0.0464), "joint"),
        Block((-0.0326, 0.0532, -0.0443), (0.1210, 0.1124, 0.0440), "shell"),
    ),
}

GOOGLE_RECOLORS: dict[str, dict[str, Rgb]] = {
    "recolor_tabletop_visual_matching_1": {
        "arm": (0.5, 0.5, 0.49),
        "finger": (0.45, 0.36, 0.22),
        "tip": (0.5, 0.4, 0.25),
    },
    "recolor_tabletop_visual_matching_2": {
        "arm": (0.68, 0.67, 0.64),
        "finger": (0.6, 0.5, 0.32),
        "tip": (0.66, 0.56, 0.36),
    },
    "recolor_cabinet_visual_matching_1": {
        "arm": (0.42, 0.43, 0.44),
        "finger": (0.36, 0.28, 0.16),
        "tip": (0.4, 0.31, 0.18),
    },
    "recolor_cabinet_visual_matching_gripper_only": {"finger": (0.36, 0.28, 0.16), "tip": (0.4, 0.31, 0.18)},
    "recolor_sim": {"arm": (0.6, 0.62, 0.66), "finger": (0.55, 0.48, 0.36), "tip": (0.6, 0.53, 0.4)},
}
"""Colours of the original's URDF versions, which exchange the arm's and fingers' textures only (docs/simpler.md Q20)."""

WIDOWX_COLORS: dict[str, Rgb] = {
    "body": (0.022, 0.022, 0.024),
    "motor": (0.045, 0.045, 0.05),
    "metal": (0.16, 0.16, 0.17),
    "finger": (0.012, 0.012, 0.013),
}

_WIDOWX_FINGER_LEFT = (
    Block((-0.0121, -0.0090, -0.0145), (0.0120, 0.0050, 0.0145), "finger"),
    Wedge(
        "z",
        ((0.0145, 0.0120, -0.0090), (0.0145, 0.0120, 0.0050), (0.0121, 0.0432, -0.0060), (0.0121, 0.0432, -0.0090)),
        "finger",
    ),
)
_WIDOWX_FINGER_RIGHT = (
    Block((-0.0121, -0.0050, -0.0145), (0.0120, 0.0090, 0.0145), "finger"),
    Wedge(
        "z",
        ((0.0145, 0.0120, 0.0090), (0.0145, 0.0120, -0.0050), (0.0121, 0.0432, 0.0060), (0.0121, 0.0432, 0.0090)),
        "finger",
    ),
)

WIDOWX: dict[str, tuple[Shape, ...]] = {
    "base_link": (
        Block((-0.1570, -0.0765, 0.0), (0.0765, 0.0765, 0.0200), "body"),
        Block((-0.0700, -0.0600, 0.0200), (0.0600, 0.0600, 0.0716), "motor"),
    ),
    "shoulder_link": (Block((-0.0511, -0.0511, -0.0030), (0.0511, 0.0511, 0.0495), "body", "z"),),
    "upper_arm_link": (
        Wedge(
            "y",
            (
                (0.0158, -0.0145, -0.0120),
                (0.0158, 0.0147, -0.0120),
                (0.0540, -0.0108, 0.2350),
                (0.0540, 0.0605, 0.2350),
                (0.0541, -0.0009, 0.2685),
                (0.0541, 0.0520, 0.2685),
            ),
            "body",
            visible=False,
        ),
        Block((-0.0145, -0.0350, -0.0145), (0.0147, 0.0350, 0.0300), "motor", collides=False),
        Block((-0.0140, -0.0200, 0.0300), (0.0250, 0.0200, 0.2300), "body", collides=False),
        Block((-0.0100, -0.0400, 0.2300), (0.0605, 0.0400, 0.2685), "motor", collides=False),
    ),
    "upper_forearm_link": (
        Block((-0.0145, -0.0212, -0.0212), (0.1750, 0.0213, 0.0212), "body"),
        Block((-0.0150, -0.0260, -0.0150), (0.0150, 0.0260, 0.0150), "metal", "y", collides=False),
    ),
    "lower_forearm_link": (
        Block((-0.0037, -0.0245, -0.0245), (0.0070, 0.0245, 0.0245), "metal", "x"),
        Block((0.0070, -0.0353, -0.0174), (0.0398, 0.0166, 0.0174), "motor"),
        Block((0.0398, -0.0333, -0.0174), (0.0863, 0.0234, 0.0174), "motor"),
    ),
    "wrist_link": (Block((-0.0034, -0.0220, -0.0200), (0.0650, 0.0220, 0.0353), "motor"),),
    "gripper_link": (Block((0.0, -0.0200, -0.0200), (0.0430, 0.0200, 0.0353), "motor"),),
    "gripper_prop_link": (Block((-0.0025, -0.0102, -0.0182), (0.0025, 0.0102, 0.0182), "metal", "x"),),
    "gripper_bar_link": (
        Block((0.0002, -0.0523, -0.0145), (0.0028, 0.0523, 0.0175), "body"),  # clear of its fixed neighbours
        Block((0.0002, -0.0242, 0.0175), (0.0028, 0.0243, 0.0358), "body"),
        Block((0.0174, -0.0506, -0.0056), (0.0286, 0.0506, 0.0056), "metal"),
        Block((0.0036, 0.0399, -0.0048), (0.0174, 0.0501, 0.0048), "body"),
        Block((0.0036, -0.0501, -0.0048), (0.0174, -0.0399, 0.0049), "body"),
    ),
    "left_finger_link": _WIDOWX_FINGER_LEFT,
    "right_finger_link": _WIDOWX_FINGER_RIGHT,
}
