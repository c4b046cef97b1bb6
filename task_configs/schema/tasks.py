"""Tasks, sweeps and suites as data. One file of ``tasks/`` = one task, one file of ``suites/`` = one suite.

A *setting* of a task (``visual_matching``, ``prepackaged``, ...) is a list of *axes* and a list of episodes. A
*variant* takes one choice from every axis; it is one row of a table. A *setup* is what a world is built with.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from task_configs.schema.parsing import StrictModel

Vec4 = tuple[float, float, float, float]
Count = Annotated[int, Field(ge=1)]
FARTHEST = 10.0
"""m from the middle of the world; what stands farther away was meant in cm or mm, and no camera sees it."""


def _in_metres(value: float) -> float:
    if abs(value) <= FARTHEST:
        return value
    raise ValueError(f"{value:g} m is out of every scene (at most {FARTHEST:g}); lengths are in m, so 15 cm are 0.15")


Metres = Annotated[float, AfterValidator(_in_metres)]
Anywhere = Annotated[float, Field(ge=-1000, le=1000)]
"""m; where an episode of the original puts its robot out of the way."""
Density = Annotated[float, Field(gt=0, le=100_000)]
"""kg/m3."""
Vec2 = tuple[Metres, Metres]
FamilyName = Literal["grasp", "move_near", "put_on", "drawer", "place"]
Linspace = tuple[Metres, Metres, Count]
"""First value, last value (included), number of values."""
MOST_STEPS, MOST_EPISODES, MOST_VARIANTS = 1_000_000, 200_000, 10_000
"""Of an episode, of a setting, of a setting: more is a slip of the pen."""
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]
Hertz = Annotated[int, Field(ge=1, le=100_000)]
UNIT = 0.001
"""How far the length of a rotation may be from 1: as far as rounding to three digits takes it."""


def _of_length_one(quat: Vec4) -> Vec4:
    length = math.sqrt(sum(value * value for value in quat))
    if abs(length - 1) <= UNIT:
        return quat
    if not 1e-6 < length < 1e6:
        raise ValueError(f"{list(quat)} is no rotation (w x y z); the unturned one is [1, 0, 0, 0]")
    meant = ", ".join(f"{value / length:.7g}" for value in quat)
    raise ValueError(f"{list(quat)} is no rotation (w x y z): its length is {length:.4g}, not 1; write [{meant}]")


Quat = Annotated[Vec4, AfterValidator(_of_length_one)]
"""A rotation w x y z."""


ALL_VARIANTS = "all"
"""What tables call the total over a setting's variants; no variant of a task can have that name."""


def rotation_of(quat: Vec4) -> Vec4:
    """The same for both quaternions of a rotation: q and -q turn alike."""
    sign = math.copysign(1.0, next((value for value in quat if abs(value) > UNIT), 1.0))
    w, x, y, z = (sign * value + 0.0 for value in quat)  # no -0.0
    return w, x, y, z


def require_distinct(values: Iterable[Hashable], what: str) -> None:
    """Raise ValueError if something is in a list twice."""
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{what} {list(value) if isinstance(value, tuple) else value} is there twice; name each once")
        seen.add(value)


class Box2(StrictModel):
    """Axis-aligned rectangle of world positions, m."""

    low: Vec2
    high: Vec2

    @model_validator(mode="after")
    def _low_is_lower(self) -> Box2:
        if any(low > high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("low must not be greater than high")
        return self


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
    robot_xy: tuple[Anywhere, Anywhere] | None = None
    """World position, m; None: sampled by the seed from the robot's range."""
    robot_quat: Quat | None = None
    """w x y z; None: the robot's own."""
    robot_height: Anywhere | None = None
    """World height of the base, m; None: the robot's own."""
    place_choices: tuple[str, ...] = ()
    """If given, position, rotation and photo are sampled from these ``robot_places.yaml`` by the seed."""
    control_freq: Hertz | None = None
    """Hz; None: the robot's own."""
    sim_freq: Hertz | None = None
    """Hz; None: the robot's own."""
    max_steps: Steps | None = None
    """None: the task's own."""
    orientation: str | None = None
    """Grasping only: a name of ``orientations``; None: sampled by the seed."""
    distractors: str | None = None
    """Grasping only: a name of ``distractor_sets``."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Grasping and placing: models that the target is sampled from; None: the task's own."""
    target_density: Density | None = None
    """Grasping only: kg/m3; None: the table's."""
    object_set: str | None = None
    """A name of the task's ``object_sets``; None: its first."""
    no_distractor: bool = False
    """Moving near only: leave the third object out."""
    station: str | None = None
    """Cabinet file, by its stem."""
    drawer: str | None = None
    """A name of the task's ``drawers``; None: sampled by the seed."""
    joint_friction: Annotated[float, Field(ge=0, le=1000)] | None = None
    """Friction coefficient of the drawer joints; None: the cabinet's own."""
    env: str | None = None
    """Env id of the original whose scripts make these episodes, unless drawers and verb decide it; changes nothing in our own
    world."""


class Setup(Overrides):
    """The scene, the robot and the start of an episode."""

    robot: str
    scene: str


def _robot_in_the_scene(setup: Setup) -> Setup:
    height = () if setup.robot_height is None else (setup.robot_height,)
    for name, values in (("robot_xy", setup.robot_xy or ()), ("robot_height", height)):
        for value in values:
            try:
                _in_metres(value)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    return setup


SetupOfTask = Annotated[Setup, AfterValidator(_robot_in_the_scene)]
"""As a task's file has it; single environments of the original put their robot out of the way."""


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
    quat: Quat

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
        if self.robot_x is not None and self.robot_places:
            raise ValueError("give either robot_x and robot_y or robot_places")
        if self.seeds is not None and (self.robot_x is not None or self.robot_places):
            raise ValueError("seeds sample the place of the robot, too; leave robot_x, robot_y and robot_places out")
        for name, line in (("x", self.x), ("y", self.y), ("robot_x", self.robot_x), ("robot_y", self.robot_y)):
            if line is not None and line[2] > 1 and line[0] == line[1]:
                raise ValueError(f"{name} is {line[2]} times {line[0]}: the same episodes again and again; write 1 value")
        require_distinct(self.robot_places, "robot_places:")
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
            import numpy as np  # here, because the help of the command reads what this file holds

            xs, ys = np.linspace(*self.robot_x), np.linspace(*self.robot_y)
            return [setup.model_copy(update={"robot_xy": (float(x), float(y))}) for x in xs for y in ys]
        return [places[name].applied_to(setup) for name in self.robot_places] or [setup]


Label = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Of a choice in an axis; part of the variant's name."""


class Setting(StrictModel):
    """One way of evaluating a task."""

    setup: Choice = Choice()
    axes: tuple[Annotated[dict[Label, Choice], Field(min_length=1)], ...] = ()
    episodes: Episodes

    @model_validator(mode="after")
    def _of_a_size(self) -> Setting:
        variants = math.prod(len(axis) for axis in self.axes)
        if variants > MOST_VARIANTS:
            raise ValueError(f"its axes make {variants} variants; at most {MOST_VARIANTS} are possible")
        if variants * self.episodes.count > MOST_EPISODES:
            raise ValueError(f"it has {variants * self.episodes.count} episodes; at most {MOST_EPISODES} are possible")
        return self


class Variant(NamedTuple):
    """One cell of a sweep."""

    name: str
    setup: Setup
    in_average: bool


class Part(StrictModel):
    """A setting of a task, or some of it."""

    task: str
    setting: str
    variants: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)
    """Name patterns, as in a shell."""
    limit: Annotated[int, Field(ge=1, le=MOST_EPISODES)] | None = None
    """Take only N episodes, evenly."""


class Suite(StrictModel):
    """A named list of parts."""

    about: str
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]
