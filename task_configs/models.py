"""Tasks, sweeps and suites as data. One file of ``tasks/`` = one task, one file of ``suites/`` = one suite.

A *setting* of a task (``visual_matching``, ``prepackaged``, ...) is a list of *axes* and a list of episodes. A
*variant* takes one choice from every axis; it is one row of a table. A *setup* is what a world is built with.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from task_configs.strict import StrictModel

Vec2 = tuple[float, float]
Vec4 = tuple[float, float, float, float]
Count = Annotated[int, Field(ge=1)]
Linspace = tuple[float, float, Count]
"""First value, last value (included), how many."""

HALF_SQRT2 = 0.7071067811865476
GRASP_ORIENTATIONS: Mapping[str, Vec4] = {
    "upright": (HALF_SQRT2, HALF_SQRT2, 0.0, 0.0),
    "laid_vertically": (HALF_SQRT2, 0.0, 0.0, HALF_SQRT2),
    "lr_switch": (0.0, 0.0, 0.0, 1.0),
}


class Setup(StrictModel):
    """What a world is built with and what its episodes start from."""

    robot: str
    """Uid of ``robots.yaml``."""
    scene: str
    """Stage of ``scenes.yaml``."""
    overlay: str | None = None
    """Photo laid over the background, relative to the pack's ``data`` folder."""
    lighting: str = "default"
    """Light set of the task's family in ``lights.yaml``."""
    urdf_version: str = ""
    """Colours of the robot; "" is the plain one."""
    urdf_choices: tuple[str, ...] = ()
    """If given, the colours are drawn from these by the episode's seed."""
    view: str = "default"
    """Camera view of ``robots.yaml``."""
    shader: Literal["default", "rt"] = "default"
    disable_bad_material: bool = False
    """Leave the robot's own materials instead of the original's shiny ones."""
    robot_xy: Vec2 | None = None
    """World position, m; None: drawn by the seed from the robot's range."""
    robot_quat: Vec4 | None = None
    """w x y z; None: the robot's own."""
    orientation: str | None = None
    """Grasping only: a name of ``orientations``; None: drawn by the seed."""
    distractors: str | None = None
    """Grasping only: a name of ``distractor_sets``."""
    control_freq: Count | None = None
    """Hz; None: the robot's own."""
    sim_freq: Count | None = None
    """Hz; None: the robot's own."""
    max_steps: Count | None = None
    """None: the task's own."""


class Choice(StrictModel):
    """Changes to a setup; what is not named stays as it is."""

    robot: str | None = None
    scene: str | None = None
    overlay: str | None = None
    lighting: str | None = None
    urdf_version: str | None = None
    urdf_choices: tuple[str, ...] | None = None
    view: str | None = None
    shader: Literal["default", "rt"] | None = None
    disable_bad_material: bool | None = None
    robot_xy: Vec2 | None = None
    robot_quat: Vec4 | None = None
    orientation: str | None = None
    distractors: str | None = None
    control_freq: Count | None = None
    sim_freq: Count | None = None
    max_steps: Count | None = None
    in_average: bool = True
    """Whether variants with this choice count in the published average."""

    def applied_to(self, setup: Setup) -> Setup:
        """The setup with these changes."""
        return setup.model_copy(update=self.model_dump(exclude_unset=True, exclude={"in_average"}))


class Episodes(StrictModel):
    """Which episodes a variant has; exactly one of the three kinds."""

    x: Linspace | None = None
    y: Linspace | None = None
    """A grid of target positions [m], x outer, y inner."""
    ids: Count | None = None
    """The first so many rows of the task's table of placements."""
    seeds: Count | None = None
    """Seeded random scenes: so many when no limit is given, as many as asked otherwise."""

    @model_validator(mode="after")
    def _one_kind(self) -> Episodes:
        if (self.x is None) != (self.y is None):
            raise ValueError("a grid needs both x and y")
        if sum(kind is not None for kind in (self.x, self.ids, self.seeds)) != 1:
            raise ValueError("give either x and y, or ids, or seeds")
        return self

    @property
    def count(self) -> int:
        """How many episodes a variant has."""
        if self.x is not None and self.y is not None:
            return self.x[2] * self.y[2]
        return self.ids or self.seeds or 0


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


class TaskBase(StrictModel):
    """What all tasks have."""

    about: str
    instruction: str
    max_steps: Count
    object_table: str
    """Table of ``objects.yaml`` that holds boxes and densities."""
    lights: str
    """Family of ``lights.yaml``."""
    setup: Setup
    envs: dict[str, Choice] = Field(default_factory=dict)
    """Env ids of the original that are this task, and what each changes."""
    settings: Annotated[dict[str, Setting], Field(min_length=1)]

    def variants(self, setting: str) -> tuple[Variant, ...]:
        """All variants of a setting, the first axis running fastest; a setting without axes has the one ``default``."""
        chosen = self.settings[setting]
        base = chosen.setup.applied_to(self.setup)
        found = []
        for labels in itertools.product(*(axis.items() for axis in reversed(chosen.axes))):
            setup, counts = base, True
            for _, choice in reversed(labels):
                setup, counts = choice.applied_to(setup), counts and choice.in_average
            found.append(Variant("/".join(label for label, _ in reversed(labels)) or "default", setup, counts))
        return tuple(found)


class Box2(StrictModel):
    """Axis-aligned rectangle of world positions, m."""

    low: Vec2
    high: Vec2


class GraspTask(TaskBase):
    """Grasp the one target and lift it (spec tasks 1)."""

    family: Literal["grasp"]
    contact_offset: float = 0.02
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    """Model of the target; drawn where there are several."""
    orientations: dict[str, Vec4] = Field(default_factory=lambda: dict(GRASP_ORIENTATIONS))
    """Start rotations w x y z, in the order of the draw."""
    area: Box2 = Box2(low=(-0.35, -0.02), high=(-0.12, 0.42))
    """Where the target is dropped if no position is given."""
    distractor_sets: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Squares(StrictModel):
    """Placements on two different corners of a square, for several squares of one centre."""

    center: Vec2
    half_sizes: Annotated[tuple[float, ...], Field(min_length=1)]

    def pairs(self) -> tuple[tuple[Vec2, Vec2], ...]:
        """World positions [m] of source and goal: 12 ordered pairs of corners per square."""
        (x, y), found = self.center, []
        for half in self.half_sizes:
            corners = [(x + sx * half, y + sy * half) for sx in (-1, 1) for sy in (-1, 1)]
            found += list(itertools.permutations(corners, 2))
        return tuple((source, goal) for source, goal in found)


class PutOnTask(TaskBase):
    """Put the source on the goal (spec tasks 6)."""

    family: Literal["put_on"]
    contact_offset: float = 0.005
    source: str
    goal: str
    squares: Squares
    quats: Annotated[tuple[tuple[Vec4, Vec4], ...], Field(min_length=1)]
    """Start rotations w x y z of source and goal."""
    completely_on_goal: bool
    """Success needs the source to touch nothing but the goal and the robot."""
    height_margin: float
    """m, how far above touching the source may be."""

    def placement(self, episode_id: int) -> tuple[tuple[Vec2, Vec4], tuple[Vec2, Vec4]]:
        """Position and rotation of source and goal; ids wrap around."""
        pairs = self.squares.pairs()
        source, goal = pairs[episode_id % (len(pairs) * len(self.quats)) // len(self.quats)]
        source_quat, goal_quat = self.quats[episode_id % len(self.quats)]
        return (source, source_quat), (goal, goal_quat)

    @property
    def placements(self) -> int:
        """How many different placements the task has."""
        return len(self.squares.pairs()) * len(self.quats)


Task = GraspTask | PutOnTask
FAMILIES: Mapping[str, type[GraspTask] | type[PutOnTask]] = {"grasp": GraspTask, "put_on": PutOnTask}


class Part(StrictModel):
    """A setting of a task, or some of it."""

    task: str
    setting: str
    variants: tuple[str, ...] = ("*",)
    """Name patterns, as in a shell."""
    limit: Count | None = None
    """Take only so many episodes, evenly."""


class Suite(StrictModel):
    """A named list of parts."""

    about: str
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]
