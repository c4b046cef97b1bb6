"""Put the source on the goal (docs/simpler.md, tasks 6)."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from eval.episode import EpisodeSpec, RuleSpec
from eval.tasks.base import (
    Array,
    Family,
    KeywordTable,
    Offset,
    SingleInstruction,
    Stat,
    TaskBase,
    TaskObservation,
    TaskResult,
    flat_distance,
    model_sizes,
    model_with_role,
    turned_boxes,
)
from eval.tasks.reset_options import ResetOptions
from eval.tasks.sampling import SampledStart, fresh, placed, start_height
from eval.tasks.tabletop import DARKER_OR_BRIGHTER
from task_configs.schema.parsing import StrictModel
from task_configs.schema.tasks import Metres, Quat, Setup, Vec2, Vec4, require_distinct, rotation_of

# ---- task files and initial states -----------------------------------------------------------------------------------


class Squares(StrictModel):
    """Placements on two different corners of a square, for several squares of one centre."""

    center: Vec2
    half_sizes: Annotated[tuple[Annotated[float, Field(gt=0, le=2)], ...], Field(min_length=1)]

    def pairs(self) -> tuple[tuple[Vec2, Vec2], ...]:
        """World positions [m] of source and goal: 12 ordered pairs of corners per square."""
        (x, y), placements = self.center, []
        for half in self.half_sizes:
            corners = [(x + sx * half, y + sy * half) for sx in (-1, 1) for sy in (-1, 1)]
            placements += list(itertools.permutations(corners, 2))
        return tuple((source, goal) for source, goal in placements)


class SourceAndGoal(StrictModel):
    """Other models for a put-on task."""

    object_table: str
    source: str
    goal: str


class Fixture(StrictModel):
    """An object that stands where it is put; it is a body of its own mass all the same (docs/simpler.md Q19)."""

    model: str
    xy: Vec2
    z: Metres


class PutOnTask(TaskBase):
    """Put the source on the goal (docs/simpler.md, tasks 6)."""

    family: Literal["put_on"]
    contact_offset: Offset = 0.005
    object_table: str
    """Table of ``objects.yaml`` that holds boxes and densities."""
    source: str
    goal: str
    object_sets: dict[str, SourceAndGoal] = Field(default_factory=dict)
    """Other models, chosen by ``object_set`` of a setup."""
    squares: Squares | None = None
    pairs: tuple[tuple[Vec2, Vec2], ...] = ()
    """World positions of source and goal where they are no corners of squares."""
    quats: Annotated[tuple[tuple[Quat, Quat], ...], Field(min_length=1)]
    """Start rotations w x y z of source and goal."""
    fixtures: tuple[Fixture, ...] = ()
    completely_on_goal: bool
    """Success needs the source to touch nothing but the goal and the robot."""
    height_margin: Annotated[float, Field(ge=0, le=1)]
    """m, how far above touching the source may be."""

    own_fields: ClassVar[frozenset[str]] = frozenset({"object_set"})

    @model_validator(mode="after")
    def _some_places(self) -> PutOnTask:
        if (self.squares is None) == (not self.pairs):
            raise ValueError("give either squares or pairs")
        require_distinct(self._pairs, "the pair of positions")
        require_distinct((tuple(map(rotation_of, pair)) for pair in self.quats), "quats:")
        for source, goal in self._pairs:
            if source == goal:
                raise ValueError(f"pairs: source and goal both stand at {list(source)}")
        return self

    @model_validator(mode="after")
    def _objects_differ(self) -> PutOnTask:
        fixtures = [fixture.model for fixture in self.fixtures]
        main = SourceAndGoal(object_table=self.object_table, source=self.source, goal=self.goal)
        for chosen in (main, *self.object_sets.values()):
            require_distinct((chosen.source, chosen.goal, *fixtures), "the object")
        return self

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """Source, goal and fixtures of every object set."""
        main_models = [(self.object_table, model) for model in (self.source, self.goal, *(f.model for f in self.fixtures))]
        return (*main_models, *((s.object_table, model) for s in self.object_sets.values() for model in (s.source, s.goal)))

    @property
    def object_tables(self) -> Mapping[str, str]:
        """Its own, and those of its sets."""
        sets = {f"object_sets.{name}.object_table": chosen.object_table for name, chosen in self.object_sets.items()}
        return {"object_table": self.object_table, **sets}

    @property
    def rule(self) -> RuleSpec:
        """Whether the source must lie on the goal alone, and how far above it it may be."""
        return RuleSpec(family=self.family, completely_on_goal=self.completely_on_goal, height_margin=self.height_margin)

    @property
    def known_names(self) -> Mapping[str, Collection[str]]:
        """Its sets of objects."""
        return {"object_set": self.object_sets}

    def source_and_goal(self, setup: Setup) -> SourceAndGoal:
        """The models that a setup names."""
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
        """Number of different placements the task has."""
        return len(self._pairs) * len(self.quats)

    @property
    def _pairs(self) -> tuple[tuple[Vec2, Vec2], ...]:
        return self.pairs if self.squares is None else self.squares.pairs()

    def sample(self, setup: Setup, seed: int, options: ResetOptions) -> SampledStart:
        """Source and goal; the id is sampled by the seed unless given. Fixtures stand where they stand."""
        sampled_id = int(fresh(seed).randint(self.placements))
        given_id = options.obj_init_options.episode_id
        (source_xy, source_quat), (goal_xy, goal_quat) = self.placement(sampled_id if given_id is None else given_id)
        z, models = start_height(options), self.source_and_goal(setup)
        movable = (
            placed(models.object_table, models.source, "source", source_xy, z, source_quat),
            placed(models.object_table, models.goal, "goal", goal_xy, z, goal_quat),
        )
        fixed = tuple(placed(self.object_table, f.model, "fixture", f.xy, f.z, (1, 0, 0, 0)) for f in self.fixtures)
        return SampledStart((*movable, *fixed), setup, self.instruction, fresh(seed))


# ---- success ---------------------------------------------------------------------------------------------------------

MAX_ANGLE = 60.0
"""Degrees, of the grasp check."""
LONG_GRASP = 5
"""Steps in a row that count as a steady grasp."""
MOVED = 0.03
"""m, in the table plane."""
EDGE_MARGIN = 0.003
"""m by which the source's centre may lie outside the goal's half diagonal."""


class PutOnRule(SingleInstruction):
    """Success: in this very step the source lies over the goal, just above it, and touches only what it may touch."""

    def __init__(self, spec: EpisodeSpec) -> None:
        super().__init__(spec)
        self._sizes = model_sizes(spec)
        self._completely = bool(spec.rule.completely_on_goal)
        self._height_margin = float(spec.rule.height_margin or 0.0)
        self._source = model_with_role(spec, "source")
        self._goal = model_with_role(spec, "goal")
        self._starts: dict[str, NDArray[np.float64]] = {}
        self._boxes: dict[str, Array] = {}
        self._restart()

    def _restart(self) -> None:
        self._grasp_steps = 0
        self._ever_grasped = False
        self._ever_steady = False

    def reset(self, seen: TaskObservation) -> None:
        """Remember where the objects came to rest, and their boxes turned as they lie."""
        self._restart()
        names = (self._source, self._goal)  # a fixture does not count
        self._starts = {name: np.array(seen.poses[name][:3], dtype=np.float64) for name in names}
        self._boxes = turned_boxes(seen, self._sizes, names)

    def initial_stats(self) -> dict[str, Stat]:
        """Nothing yet."""
        return {
            "moved_correct_obj": False,
            "moved_wrong_obj": False,
            "is_src_obj_grasped": False,
            "consecutive_grasp": False,
            "src_on_target": False,
        }

    def evaluate(self, seen: TaskObservation) -> TaskResult:
        """Verdict on a step; counts it."""
        moved_correct, moved_wrong = self._moved(seen)
        grasped = seen.is_grasped(self._source, MAX_ANGLE)
        self._grasp_steps = self._grasp_steps + 1 if grasped else 0
        steady = self._grasp_steps >= LONG_GRASP
        on_goal = self._on_goal(seen)
        self._ever_grasped |= grasped
        self._ever_steady |= steady
        now = {"moved_correct_obj": moved_correct, "moved_wrong_obj": moved_wrong}
        return TaskResult(
            success=on_goal,
            flags=now | {"is_src_obj_grasped": grasped, "consecutive_grasp": steady, "src_on_target": on_goal},
            episode_stats=now
            | {
                "is_src_obj_grasped": self._ever_grasped,
                "consecutive_grasp": self._ever_steady,
                "src_on_target": on_goal,
            },
        )

    def _moved(self, seen: TaskObservation) -> tuple[bool, bool]:
        """Whether the source, and whether another object, moved the most. The source's way ends at its centre of mass
        though it began at its origin, as in the original."""
        way = flat_distance(self._starts[self._source], seen.centers[self._source])
        others = [flat_distance(start, seen.poses[name]) for name, start in self._starts.items() if name != self._source]
        correct = way > MOVED and all(other < way for other in others)
        return correct, any(other > MOVED and other > way for other in others)

    def _on_goal(self, seen: TaskObservation) -> bool:
        offset = np.asarray(seen.centers[self._source]) - np.asarray(seen.centers[self._goal])
        source_box, goal_box = self._boxes[self._source], self._boxes[self._goal]
        over = float(np.linalg.norm(offset[:2])) <= float(np.linalg.norm(goal_box[:2])) / 2 + EDGE_MARGIN
        gap = float(offset[2] - goal_box[2] / 2 - source_box[2] / 2)
        placed = over and float(offset[2]) > 0 and gap <= self._height_margin
        if placed and self._completely:
            return not seen.foreign_contact(self._source, frozenset({self._goal}))
        return placed


# ---- the original ----------------------------------------------------------------------------------------------------

PUT_ON = Family(
    PutOnTask,
    PutOnRule,
    KeywordTable(lighting_flags=DARKER_OR_BRIGHTER, prepackaged_keeps=frozenset({"lighting", "max_steps"})),
)
