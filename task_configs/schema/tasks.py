"""Tasks, sweeps and suites as data. One file of ``tasks/`` = one task, one file of ``suites/`` = one suite.

A *setting* of a task (``visual_matching``, ``prepackaged``, ...) is a list of *axes* and a list of episodes. A
*variant* takes one choice from every axis; it is one row of a table. A *setup* is what a world is built with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from task_configs.schema.parsing import StrictModel

Vec2 = tuple[float, float]
Vec4 = tuple[float, float, float, float]
Count = Annotated[int, Field(ge=1)]
FamilyName = Literal["grasp", "move_near", "put_on", "drawer", "place"]
Linspace = tuple[float, float, Count]
"""First value, last value (included), number of values."""


class Box2(StrictModel):
    """Axis-aligned rectangle of world positions, m."""

    low: Vec2
    high: Vec2


class Overrides(StrictModel):
    """The fields of a setup, with their defaults."""

    robot: str | None = None
    """Uid of ``robots.yaml``."""
    scene: str | None = None
    """Stage of ``scenes.yaml``."""
    overlay: str | None = None
    """Photo laid over the background, relative to the pack's ``data`` folder."""
    lighting: str = "default"
    """Light set of the task's family in ``lights.yaml``."""
    urdf_version: str = ""
    """Colours of the robot; "" is the plain one."""
    urdf_choices: tuple[str, ...] = ()
    """If given, the colours are sampled from these by the episode's seed."""
    view: str = "default"
    """Camera view of ``robots.yaml``."""
    shader: Literal["default", "rt"] = "default"
    disable_bad_material: bool = False
    """Leave the robot's own materials instead of the original's shiny ones."""
    robot_xy: Vec2 | None = None
    """World position, m; None: sampled by the seed from the robot's range."""
    robot_quat: Vec4 | None = None
    """w x y z; None: the robot's own."""
    robot_height: float | None = None
    """World height of the base, m; None: the robot's own."""
    place_choices: tuple[str, ...] = ()
    """If given, position, rotation and photo are sampled from these ``robot_places.yaml`` by the seed."""
    control_freq: Count | None = None
    """Hz; None: the robot's own."""
    sim_freq: Count | None = None
    """Hz; None: the robot's own."""
    max_steps: Count | None = None
    """None: the task's own."""
    orientation: str | None = None
    """Grasping only: a name of ``orientations``; None: sampled by the seed."""
    distractors: str | None = None
    """Grasping only: a name of ``distractor_sets``."""
    targets: tuple[str, ...] | None = None
    """Grasping and placing: models that the target is sampled from; None: the task's own."""
    target_density: float | None = None
    """Grasping only: kg/m3; None: the table's."""
    object_set: str | None = None
    """A name of the task's ``object_sets``; None: its first."""
    no_distractor: bool = False
    """Moving near only: leave the third object out."""
    station: str | None = None
    """Cabinet file, by its stem."""
    drawer: str | None = None
    """A name of the task's ``drawers``; None: sampled by the seed."""
    joint_friction: float | None = None
    """Friction coefficient of the drawer joints; None: the cabinet's own."""
    env: str | None = None
    """Env id of the original whose scripts make these episodes, unless drawers and verb decide it; changes nothing in our own
    world."""


class Setup(Overrides):
    """The scene, the robot and the start of an episode."""

    robot: str
    scene: str


class Choice(Overrides):
    """Changes to a setup; what is not named stays as it is."""

    in_average: bool = True
    """Whether variants with this choice count in the published average."""

    def applied_to(self, setup: Setup) -> Setup:
        """The setup with these changes."""
        return setup.model_copy(update=self.model_dump(exclude_unset=True, exclude={"in_average"}))


class RobotPlace(StrictModel):
    """Where the robot stands for one photo."""

    overlay: str | None = None
    """Photo taken from there, relative to the pack's ``data`` folder."""
    xy: Vec2
    quat: Vec4

    def applied_to(self, setup: Setup) -> Setup:
        """The setup with the robot there."""
        return setup.model_copy(update={"overlay": self.overlay, "robot_xy": self.xy, "robot_quat": self.quat})


class Episodes(StrictModel):
    """Which episodes a variant has: at most one kind of targets, seen from one or several places of the robot."""

    x: Linspace | None = None
    y: Linspace | None = None
    """A grid of target positions [m], x outer, y inner."""
    ids: Count | None = None
    """The first N rows of the task's table of placements."""
    seeds: Count | None = None
    """Seeded random scenes: N when no limit is given, as many as the limit otherwise."""
    robot_x: Linspace | None = None
    robot_y: Linspace | None = None
    """A grid of base positions [m], x outer, y inner; all targets are seen from one before the next."""
    robot_places: tuple[str, ...] = ()
    """Names of ``robot_places.yaml``, likewise."""

    @model_validator(mode="after")
    def _one_kind(self) -> Episodes:
        if (self.x is None) != (self.y is None):
            raise ValueError("a grid needs both x and y")
        if (self.robot_x is None) != (self.robot_y is None):
            raise ValueError("a grid of the robot needs both robot_x and robot_y")
        kinds = sum(kind is not None for kind in (self.x, self.ids, self.seeds))
        if kinds > 1 or (kinds == 0 and self.robot_x is None and not self.robot_places):
            raise ValueError("give either x and y, or ids, or seeds; or places of the robot alone")
        return self

    @property
    def count(self) -> int:
        """Number of episodes of a variant."""
        targets = self.ids or self.seeds or 1
        if self.x is not None and self.y is not None:
            targets = self.x[2] * self.y[2]
        if self.robot_x is not None and self.robot_y is not None:
            return self.robot_x[2] * self.robot_y[2] * targets
        return max(1, len(self.robot_places)) * targets

    def robot_setups(self, setup: Setup, places: Mapping[str, RobotPlace]) -> list[Setup]:
        """The setup once for every place of the robot; the setup itself where no place is given."""
        if self.robot_x is not None and self.robot_y is not None:
            xs, ys = np.linspace(*self.robot_x), np.linspace(*self.robot_y)
            return [setup.model_copy(update={"robot_xy": (float(x), float(y))}) for x in xs for y in ys]
        return [places[name].applied_to(setup) for name in self.robot_places] or [setup]


class Setting(StrictModel):
    """One way of evaluating a task."""

    setup: Choice = Choice()
    axes: tuple[dict[str, Choice], ...] = ()
    episodes: Episodes


class Variant(NamedTuple):
    """One cell of a sweep."""

    name: str
    setup: Setup
    in_average: bool


class Part(StrictModel):
    """A setting of a task, or some of it."""

    task: str
    setting: str
    variants: tuple[str, ...] = ("*",)
    """Name patterns, as in a shell."""
    limit: Count | None = None
    """Take only N episodes, evenly."""


class Suite(StrictModel):
    """A named list of parts."""

    about: str
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]
