"""One model per task family: what its tasks have beyond a setup, and where its objects start."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from task_configs.schema.parsing import StrictModel
from task_configs.schema.tasks import Box2, Setup, TaskBase, Vec2, Vec4

HALF_SQRT2 = 0.7071067811865476
GRASP_ORIENTATIONS: Mapping[str, Vec4] = {
    "upright": (HALF_SQRT2, HALF_SQRT2, 0.0, 0.0),
    "laid_vertically": (HALF_SQRT2, 0.0, 0.0, HALF_SQRT2),
    "lr_switch": (0.0, 0.0, 0.0, 1.0),
}
UNTURNED = "unturned"
"""Start rotation of the grasp classes that know no orientations; never drawn."""


class GraspTask(TaskBase):
    """Grasp the one target and lift it (spec tasks 1)."""

    family: Literal["grasp"]
    contact_offset: float = 0.02
    object_table: str
    """Table of ``objects.yaml`` that holds boxes and densities."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    """Model of the target; drawn where there are several."""
    orientations: dict[str, Vec4] = Field(default_factory=lambda: dict(GRASP_ORIENTATIONS))
    """Start rotations w x y z, in the order of the draw."""
    area: Box2 = Box2(low=(-0.35, -0.02), high=(-0.12, 0.42))
    """Where the target is dropped if no position is given."""
    distractor_sets: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """Targets, also those of single environments, and distractors."""
        chosen = [model for choice in self.envs.values() for model in choice.targets or ()]
        distractors = itertools.chain(*self.distractor_sets.values())
        return tuple((self.object_table, model) for model in dict.fromkeys([*self.targets, *chosen, *distractors]))


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


class SourceAndGoal(StrictModel):
    """Other models for a put-on task."""

    object_table: str
    source: str
    goal: str


class Fixture(StrictModel):
    """An object that stands where it is put; it is a body of its own mass all the same (spec Q19)."""

    model: str
    xy: Vec2
    z: float


class PutOnTask(TaskBase):
    """Put the source on the goal (spec tasks 6)."""

    family: Literal["put_on"]
    contact_offset: float = 0.005
    object_table: str
    """Table of ``objects.yaml`` that holds boxes and densities."""
    source: str
    goal: str
    object_sets: dict[str, SourceAndGoal] = Field(default_factory=dict)
    """Other models, chosen by ``object_set`` of a setup."""
    squares: Squares | None = None
    pairs: tuple[tuple[Vec2, Vec2], ...] = ()
    """World positions of source and goal where they are no corners of squares."""
    quats: Annotated[tuple[tuple[Vec4, Vec4], ...], Field(min_length=1)]
    """Start rotations w x y z of source and goal."""
    fixtures: tuple[Fixture, ...] = ()
    completely_on_goal: bool
    """Success needs the source to touch nothing but the goal and the robot."""
    height_margin: float
    """m, how far above touching the source may be."""

    @model_validator(mode="after")
    def _some_places(self) -> PutOnTask:
        if (self.squares is None) == (not self.pairs):
            raise ValueError("give either squares or pairs")
        return self

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """Source, goal and fixtures of every object set."""
        found = [(self.object_table, model) for model in (self.source, self.goal, *(f.model for f in self.fixtures))]
        return (*found, *((s.object_table, model) for s in self.object_sets.values() for model in (s.source, s.goal)))

    @property
    def rule_numbers(self) -> dict[str, Any]:
        """Whether the source must lie on the goal alone, and how far above it it may be."""
        return {"completely_on_goal": self.completely_on_goal, "height_margin": self.height_margin}

    def source_and_goal(self, setup: Setup) -> SourceAndGoal:
        """The models that a setup asks for."""
        if setup.object_set is not None:
            return self.object_sets[setup.object_set]
        return SourceAndGoal(object_table=self.object_table, source=self.source, goal=self.goal)

    def placement(self, episode_id: int) -> tuple[tuple[Vec2, Vec4], tuple[Vec2, Vec4]]:
        """Position and rotation of source and goal; ids wrap around."""
        pairs = self._pairs
        source, goal = pairs[episode_id % (len(pairs) * len(self.quats)) // len(self.quats)]
        source_quat, goal_quat = self.quats[episode_id % len(self.quats)]
        return (source, source_quat), (goal, goal_quat)

    @property
    def placements(self) -> int:
        """How many different placements the task has."""
        return len(self._pairs) * len(self.quats)

    @property
    def _pairs(self) -> tuple[tuple[Vec2, Vec2], ...]:
        return self.pairs if self.squares is None else self.squares.pairs()


class Triplets(StrictModel):
    """Objects that stand on the table together."""

    object_table: str
    triplets: Annotated[tuple[tuple[str, str, str], ...], Field(min_length=1)]
    matte: bool = False
    """The objects lose gloss and metal of their files (spec 8.4)."""


class MoveNearTask(TaskBase):
    """Move the source near the target, away from a third object (spec tasks 2)."""

    family: Literal["move_near"]
    contact_offset: float = 0.005
    object_sets: Annotated[dict[str, Triplets], Field(min_length=1)]
    """The original's classes differ in their objects; the first set is the default."""
    layouts: Annotated[tuple[tuple[Vec2, Vec2, Vec2], ...], Field(min_length=1)]
    """World positions of the three objects."""
    roles: Annotated[tuple[tuple[int, int], ...], Field(min_length=1)]
    """Which of the three is the source and which the target."""
    quats: dict[str, Vec4]
    """Start rotations w x y z by model."""
    densities: dict[str, float] = Field(default_factory=dict)
    """kg/m3 of models that are not as dense as their table says."""

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """All objects of all sets."""
        sets = self.object_sets.values()
        return tuple(dict.fromkeys((s.object_table, model) for s in sets for three in s.triplets for model in three))

    def objects_of(self, setup: Setup) -> Triplets:
        """The objects that a setup asks for."""
        return self.object_sets[setup.object_set or next(iter(self.object_sets))]

    @property
    def placements(self) -> int:
        """How many different episodes an object set has."""
        return len(next(iter(self.object_sets.values())).triplets) * len(self.layouts) * len(self.roles)

    def placement(self, episode_id: int) -> tuple[int, tuple[Vec2, Vec2, Vec2], tuple[int, int]]:
        """Number of the triplet, positions, and which is source and target."""
        triplet, rest = divmod(episode_id, len(self.layouts) * len(self.roles))
        layout, role = divmod(rest, len(self.roles))
        return triplet, self.layouts[layout], self.roles[role]

    @model_validator(mode="after")
    def _all_turned(self) -> MoveNearTask:
        unknown = {model for _, model in self.models} - set(self.quats)
        if unknown:
            raise ValueError(f"quats lacks {', '.join(sorted(unknown))}")
        return self


class CabinetTask(TaskBase):
    """What the tasks with a cabinet share (spec tasks 3 and 4); nothing collides with the stage."""

    stage_collides: bool = False
    drawers: Annotated[tuple[Literal["top", "middle", "bottom"], ...], Field(min_length=1)]
    """The drawer of the task; drawn where there are several."""


class DrawerTask(CabinetTask):
    """Open or close a drawer (spec tasks 3)."""

    family: Literal["drawer"]
    contact_offset: float = 0.02
    verb: Literal["open", "close"]
    start_opening: float
    """m, of the task's drawer; the others are closed."""

    @property
    def rule_numbers(self) -> dict[str, Any]:
        """Whether the drawer is to be opened or closed."""
        return {"verb": self.verb}


class PlaceTask(CabinetTask):
    """Open a drawer, then put the target into it (spec tasks 5)."""

    family: Literal["place"]
    contact_offset: float = 0.005
    object_table: str
    """Table of ``objects.yaml`` that holds boxes and densities."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    """Model of the target; drawn where there are several."""
    area: Box2 = Box2(low=(-0.10, 0.0), high=(-0.05, 0.1))
    """Where on the cabinet the target is dropped if no position is given."""
    place_instruction: str
    """Instruction of the second subtask."""

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """All targets, also those of single settings."""
        setups = [v.setup for key in self.settings for v in self.variants(key)]
        chosen = [model for setup in setups for model in setup.targets or ()]
        return tuple((self.object_table, model) for model in dict.fromkeys([*self.targets, *chosen]))


Task = GraspTask | PutOnTask | MoveNearTask | DrawerTask | PlaceTask
FAMILIES: Mapping[str, type[GraspTask | PutOnTask | MoveNearTask | DrawerTask | PlaceTask]] = {
    "grasp": GraspTask,
    "put_on": PutOnTask,
    "move_near": MoveNearTask,
    "drawer": DrawerTask,
    "place": PlaceTask,
}
