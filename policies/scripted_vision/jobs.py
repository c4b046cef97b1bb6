"""What the policy knows of each task: colours, and heights above the origin of the robot's base.

Colours were read off renders of the original's models and its photos. The table tops and the sizes of the things are those of
the original: tables 0.87 m above the floor, the Google Robot's base 0.079 m, the WidowX's 0.87 m, 0.85 m at the sink.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.scripted_vision.seeing import Colour

GOOGLE_TABLE = 0.791
"""m."""


@dataclass(frozen=True)
class Thing:
    """Something to find."""

    colours: tuple[Colour, ...]
    middle: float
    """m, height at which its silhouette is projected."""
    square: bool = False
    """It lies along or across the robot's forward axis: its silhouette only says which of the two."""


@dataclass(frozen=True)
class Job:
    """What to do in a task."""

    camera: str
    """Name in ``camera.CAMERAS``."""
    thing: Thing
    """What to take."""
    grasp: float
    """m, height of the tool when the fingers close."""
    goal: Thing | None = None
    """What to put it on; None: to hold it up is all."""
    let_go: float = 0.0
    """m above ``grasp``, height of the tool when the fingers open."""


COKE = Job(
    camera="google",
    thing=Thing((Colour((176, 4), (140, 255), (60, 255)),), GOOGLE_TABLE + 0.038, square=True),  # between lying and standing
    grasp=GOOGLE_TABLE + 0.034,
)

JOBS: Mapping[str, Job] = {
    "google_robot_pick_coke_can": COKE,
    "google_robot_pick_horizontal_coke_can": COKE,
    "google_robot_pick_standing_coke_can": COKE,
    "google_robot_pick_vertical_coke_can": COKE,
    "widowx_carrot_on_plate": Job(
        camera="widowx",
        thing=Thing((Colour((7, 18), (190, 255), (100, 255)),), 0.018),  # without its leaves
        grasp=0.028,
        goal=Thing((Colour((32, 40), (60, 95), (225, 255)),), 0.003),
        let_go=0.015,
    ),
    "widowx_spoon_on_towel": Job(
        camera="widowx",
        thing=Thing((Colour((30, 43), (80, 230), (110, 255)),), 0.010),  # its handle
        grasp=0.020,
        goal=Thing((Colour((94, 106), (40, 100), (130, 255)),), 0.005),
        let_go=0.022,
    ),
    "widowx_stack_cube": Job(
        camera="widowx",
        thing=Thing((Colour((60, 78), (50, 85), (65, 180)),), 0.015, square=True),
        grasp=0.025,
        goal=Thing((Colour((17, 30), (55, 160), (205, 255)),), 0.015),
        let_go=0.040,
    ),
    "widowx_put_eggplant_in_basket": Job(
        camera="widowx_sink",
        thing=Thing((Colour((144, 153), (100, 255), (70, 120)),), 0.088),
        grasp=0.098,
        goal=Thing((Colour((18, 30), (70, 170), (140, 255)),), 0.120),  # the rim of the basket in the photo
        let_go=0.040,
    ),
}
"""By task."""
