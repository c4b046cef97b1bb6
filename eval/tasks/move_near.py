"""Move the source near the target, away from a third object (docs/simpler.md, tasks 2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from eval.episode import EpisodeSpec
from eval.errors import UserError
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
from eval.tasks.sampling import SampledStart, fresh, instruction_name, placed, sample_colours, start_height
from eval.tasks.tabletop import DARKER_OR_BRIGHTER
from task_configs.schema.parsing import StrictModel
from task_configs.schema.tasks import Density, Quat, Setup, Vec2, require_distinct

# ---- task files and initial states -----------------------------------------------------------------------------------


class Triplets(StrictModel):
    """Objects that stand on the table together."""

    object_table: str
    triplets: Annotated[tuple[tuple[str, str, str], ...], Field(min_length=1)]
    matte: bool = False
    """The objects lose gloss and metal of their files (docs/simpler.md 8.4)."""


Place = Literal[0, 1, 2]
"""Of an object in its triplet."""


class MoveNearTask(TaskBase):
    """Move the source near the target, away from a third object (docs/simpler.md, tasks 2)."""

    family: Literal["move_near"]
    contact_offset: Offset = 0.005
    object_sets: Annotated[dict[str, Triplets], Field(min_length=1)]
    """The original's classes differ in their objects; the first set is the default."""
    layouts: Annotated[tuple[tuple[Vec2, Vec2, Vec2], ...], Field(min_length=1)]
    """World positions of the three objects."""
    roles: Annotated[tuple[tuple[Place, Place], ...], Field(min_length=1)]
    """Which of the three is the source and which the target."""
    quats: dict[str, Quat]
    """Start rotations w x y z by model."""
    densities: dict[str, Density] = Field(default_factory=dict)
    """kg/m3 of models that are not as dense as their table says."""

    own_fields: ClassVar[frozenset[str]] = frozenset({"object_set", "no_distractor", "urdf_choices"})
    placeholders: ClassVar[Mapping[str, frozenset[str]]] = {"instruction": frozenset({"source", "target"})}

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """All objects of all sets."""
        sets = self.object_sets.values()
        return tuple(dict.fromkeys((s.object_table, model) for s in sets for three in s.triplets for model in three))

    @property
    def known_names(self) -> Mapping[str, Collection[str]]:
        """Its sets of objects."""
        return {"object_set": self.object_sets}

    def objects_of(self, setup: Setup) -> Triplets:
        """The objects that a setup names."""
        return self.object_sets[setup.object_set or next(iter(self.object_sets))]

    @property
    def placements(self) -> int:
        """Number of different episodes of an object set."""
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
        if unknown := set(self.densities) - {model for _, model in self.models}:
            raise ValueError(f"densities has {', '.join(sorted(unknown))}, which no triplet holds")
        return self

    @model_validator(mode="after")
    def _placements_differ(self) -> MoveNearTask:
        sizes = {name: len(chosen.triplets) for name, chosen in self.object_sets.items()}
        if len(set(sizes.values())) > 1:  # an episode_id means the same place in every set
            raise ValueError(f"object_sets have different numbers of triplets: {sizes}; give each as many")
        for name, chosen in self.object_sets.items():
            require_distinct(chosen.triplets, f"object_sets.{name}.triplets:")
            for three in chosen.triplets:
                require_distinct(three, f"object_sets.{name}.triplets: {list(three)}:")
        for layout in self.layouts:
            require_distinct(layout, "layouts: a position of one layout:")
        require_distinct(self.layouts, "layouts:")
        require_distinct(self.roles, "roles:")
        for source, target in self.roles:
            if source == target:
                raise ValueError(f"roles: [{source}, {target}] makes one object both source and target")
        return self

    @property
    def object_tables(self) -> Mapping[str, str]:
        """Those of its sets."""
        return {f"object_sets.{name}.object_table": chosen.object_table for name, chosen in self.object_sets.items()}

    def sample(self, setup: Setup, seed: int, options: ResetOptions) -> SampledStart:
        """Source, target and the third object; the id is sampled by the seed unless given. Raises UserError for another id.

        The objects keep the order of their triplet; without the third one, the source comes first.
        """
        sampled_id = int(fresh(seed).randint(self.placements))
        setup = sample_colours(setup, fresh(seed))
        given_id = options.obj_init_options.episode_id
        episode = sampled_id if given_id is None else given_id
        if episode >= self.placements:
            last = self.placements - 1
            raise UserError(f"episode_id is {episode}; moving near has {self.placements} episodes, 0 to {last}.")
        number, layout, (source, target) = self.placement(episode)
        chosen = self.objects_of(setup)
        models = chosen.triplets[number]
        order = (source, target) if setup.no_distractor else (0, 1, 2)
        roles = {source: "source", target: "goal"}
        z = start_height(options)
        objects = tuple(
            placed(
                chosen.object_table,
                models[i],
                roles.get(i, "other"),
                layout[i],
                z,
                self.quats[models[i]],
                self.densities.get(models[i]),
            )
            for i in order
        )
        names = {"source": instruction_name(models[source]), "target": instruction_name(models[target])}
        return SampledStart(objects, setup, self.instruction.format(**names), fresh(seed), matte_objects=chosen.matte)


# ---- success ---------------------------------------------------------------------------------------------------------

MOVED = 0.03
"""m, in the table plane."""
OTHER_MAY_SINK, MOVED_MAY_SINK = 0.02, 0.15
"""m; a third object that falls over, or source and target that fall off the table, spoil the step."""
NEAR_MARGIN = 0.10
"""m between the half diagonals of source and target."""
CLOSEST_MARGIN = 0.01
"""m by which another object may be nearer to the source."""


class MoveNearRule(SingleInstruction):
    """Success: in this very step everything stands, the source moved most, and it is near the target and nothing else."""

    def __init__(self, spec: EpisodeSpec) -> None:
        super().__init__(spec)
        self._sizes = model_sizes(spec)
        self._source = model_with_role(spec, "source")
        self._target = model_with_role(spec, "goal")
        self._starts: dict[str, NDArray[np.float64]] = {}
        self._boxes: dict[str, Array] = {}

    def reset(self, seen: TaskObservation) -> None:
        """Remember where the objects came to rest, and the boxes of source and target turned as they lie."""
        self._starts = {name: np.array(pose[:3], dtype=np.float64) for name, pose in seen.poses.items()}
        self._boxes = turned_boxes(seen, self._sizes, (self._source, self._target))

    def initial_stats(self) -> dict[str, Stat]:
        """Nothing yet."""
        names = ("all_obj_keep_height", "moved_correct_obj", "moved_wrong_obj", "near_tgt_obj", "is_closest_to_tgt")
        return dict.fromkeys(names, False)

    def evaluate(self, seen: TaskObservation) -> TaskResult:
        """Verdict on a step."""
        ways = {name: flat_distance(start, seen.poses[name]) for name, start in self._starts.items()}
        way = ways.pop(self._source)
        between = flat_distance(seen.centers[self._source], seen.centers[self._target])
        room = sum(float(np.linalg.norm(box[:2])) / 2 for box in self._boxes.values())
        # Distances to the others end at their origin, the one to the target at its centre of mass, as in the original.
        to_others = [flat_distance(seen.centers[self._source], seen.poses[name]) for name in ways]
        flags = {
            "all_obj_keep_height": all(self._keeps_height(name, seen) for name in self._starts),
            "moved_correct_obj": way > MOVED and all(other < way for other in ways.values()),
            "moved_wrong_obj": any(o > MOVED for o in ways.values()) and any(o > way for o in ways.values()),
            "near_tgt_obj": between < room + NEAR_MARGIN,
            "is_closest_to_tgt": all(between < other + CLOSEST_MARGIN for other in to_others),
        }
        success = all(met for name, met in flags.items() if name != "moved_wrong_obj")
        return TaskResult(success, flags, dict(flags))

    def _keeps_height(self, name: str, seen: TaskObservation) -> bool:
        """Source and target are measured at their centre of mass, but from where their origin came to rest."""
        start = float(self._starts[name][2])
        if name in (self._source, self._target):
            return float(seen.centers[name][2]) - start > -MOVED_MAY_SINK
        return float(seen.poses[name][2]) - start > -OTHER_MAY_SINK


# ---- the original ----------------------------------------------------------------------------------------------------

MOVE_NEAR = Family(
    MoveNearTask,
    MoveNearRule,
    KeywordTable(
        renamed={"no_distractor": "no_distractor", "light_mode": "lighting"},
        lighting_flags=DARKER_OR_BRIGHTER,
        light_modes={"simple": "ambient_only", "simple2": "simple2"},
        prepackaged_keeps=frozenset({"no_distractor", "lighting", "max_steps"}),
    ),
)
