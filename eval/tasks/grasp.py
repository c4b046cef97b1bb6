"""Grasp the target and lift it (docs/simpler.md, tasks 1)."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.tasks.base import (
    Family,
    KeywordTable,
    Offset,
    SingleInstruction,
    Stat,
    TaskBase,
    TaskObservation,
    TaskResult,
    model_with_role,
)
from eval.tasks.reset_options import DistractorOptions, ResetOptions
from eval.tasks.sampling import (
    SampledStart,
    choose,
    fresh,
    instruction_name,
    pair,
    placed,
    sample_colours,
    sample_spot,
    sample_target,
    sample_turn,
    start_height,
)
from task_configs.schema.tasks import Box2, Quat, Setup, Vec2, Vec4, require_distinct, rotation_of

# ---- task files and initial states -----------------------------------------------------------------------------------

HALF_SQRT2 = 0.7071067811865476
GRASP_ORIENTATIONS: Mapping[str, Vec4] = {
    "upright": (HALF_SQRT2, HALF_SQRT2, 0.0, 0.0),
    "laid_vertically": (HALF_SQRT2, 0.0, 0.0, HALF_SQRT2),
    "lr_switch": (0.0, 0.0, 0.0, 1.0),
}
UNTURNED = "unturned"
"""Start rotation of the grasp classes that know no orientations; never sampled."""
DISTRACTOR_REACH = 0.3
"""m, half side of the square around the target that distractors are sampled from."""
DISTRACTOR_LOW, DISTRACTOR_HIGH = (-0.50, 0.05), (-0.10, 0.35)
DISTRACTOR_CLEARANCE = 0.25
"""m, least distance to the target."""


class GraspTask(TaskBase):
    """Grasp the one target and lift it (docs/simpler.md, tasks 1)."""

    family: Literal["grasp"]
    contact_offset: Offset = 0.02
    object_table: str
    """Table of ``objects.yaml`` that holds boxes and densities."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    """Model of the target; sampled where there are several."""
    orientations: Annotated[dict[str, Quat], Field(min_length=1)] = Field(default_factory=lambda: dict(GRASP_ORIENTATIONS))
    """Start rotations w x y z, in the order in which they are sampled."""
    area: Box2 = Box2(low=(-0.35, -0.02), high=(-0.12, 0.42))
    """Where the target is dropped if no position is given."""
    distractor_sets: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    own_fields: ClassVar[frozenset[str]] = frozenset(
        {"orientation", "distractors", "targets", "target_density", "urdf_choices"}
    )
    placeholders: ClassVar[Mapping[str, frozenset[str]]] = {"instruction": frozenset({"name"})}
    has_grid: ClassVar[bool] = True

    @model_validator(mode="after")
    def _choices_differ(self) -> GraspTask:
        for name, models in self.distractor_sets.items():
            require_distinct(models, f"distractor_sets.{name}:")
        require_distinct(map(rotation_of, self.orientations.values()), "orientations:")
        return self

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """Targets, also those of single environments and settings, and distractors."""
        setups = [*self.envs.values(), *(variant.setup for key in self.settings for variant in self.variants(key))]
        chosen = [model for setup in setups for model in setup.targets or ()]
        distractors = itertools.chain(*self.distractor_sets.values())
        return tuple((self.object_table, model) for model in dict.fromkeys([*self.targets, *chosen, *distractors]))

    @property
    def object_tables(self) -> Mapping[str, str]:
        """The one of all its objects."""
        return {"object_table": self.object_table}

    @property
    def known_names(self) -> Mapping[str, Collection[str]]:
        """Its orientations and sets of distractors."""
        return {"orientation": (*self.orientations, UNTURNED), "distractors": self.distractor_sets}

    def target_choices(self, setup: Setup) -> tuple[str, ...]:
        """Models that the target is sampled from."""
        return setup.targets or self.targets

    def distractors(self, setup: Setup) -> tuple[str, ...]:
        """Models that stand beside the target."""
        return self.distractor_sets[setup.distractors] if setup.distractors else ()

    def orientation_name(self, quat: Vec4) -> str | None:
        """Name of a start rotation (w x y z), where it has one."""
        return next((name for name, known in self.orientations.items() if np.allclose(known, quat)), None)

    def sample(self, setup: Setup, seed: int, options: ResetOptions) -> SampledStart:
        """Target and distractors. Raises UserError for unknown models and orientations."""
        given, table = options.obj_init_options, self.object_table
        start_quat = given.init_rot_quat or self._start_rotation(setup.orientation, given.orientation, seed)
        rng = fresh(seed)
        target = sample_target(options, self.target_choices(setup), table, rng)
        setup = sample_colours(setup, rng)

        rng = fresh(seed)
        xy = sample_spot(given, self.area, rng)
        z = start_height(options)
        quat = sample_turn(given, start_quat, rng)
        objects = [placed(table, target, "target", xy, z, quat, setup.target_density)]
        for model in self.distractors(setup):
            own = options.distractor_obj_init_options.get(model, DistractorOptions())
            spot = own.init_xy or _free_spot(np.array(xy), rng)
            objects.append(placed(table, model, "distractor", spot, z, own.init_rot_quat or start_quat))
        return SampledStart(tuple(objects), setup, self.instruction.format(name=instruction_name(target)), rng)

    def _start_rotation(self, fixed: str | None, given: str | None, seed: int) -> Vec4:
        """Rotation by name; sampled by the seed if there is none. Other tools write "standing" and "horizontal"."""
        if fixed == UNTURNED:
            return (1.0, 0.0, 0.0, 0.0)
        name = given or fixed
        if name is None:
            return choose(list(self.orientations.values()), fresh(seed))
        known = "upright" if "standing" in name else "lr_switch" if "horizontal" in name else name
        if known not in self.orientations:
            raise UserError(f'No orientation "{name}".{did_you_mean(name, self.orientations)}')
        return self.orientations[known]


def _free_spot(target_xy: NDArray[np.float64], rng: np.random.RandomState) -> Vec2:
    """World position [m] of a distractor, away from the target."""
    while True:
        spot = target_xy + rng.uniform(-DISTRACTOR_REACH, DISTRACTOR_REACH, 2)
        spot = np.clip(spot, DISTRACTOR_LOW, DISTRACTOR_HIGH)
        if np.linalg.norm(spot - target_xy) > DISTRACTOR_CLEARANCE:
            return pair(spot)


# ---- success ---------------------------------------------------------------------------------------------------------

MAX_ANGLE = 80.0
"""Degrees, of the grasp check."""
LIFTED, LIFTED_SIGNIFICANTLY = 0.01, 0.02
"""m above the height at which the target came to rest."""
LONG_GRASP = 5
"""Steps in a row that count as a steady grasp."""
ENOUGH_LIFTED_STEPS = 5
"""Significantly lifted steps after which success stays to the end."""


class GraspRule(SingleInstruction):
    """Success: lifted in this step, or significantly lifted in five steps of the episode.

    Once lifted, the target stays so while the grasp lasts. Without a grasp, a step in which it is up and touches
    nothing counts by itself, so a target that is thrown or pushed up counts, too.
    """

    def __init__(self, spec: EpisodeSpec) -> None:
        super().__init__(spec)
        self._target = model_with_role(spec, "target")
        self._restart(0.0)

    def _restart(self, height: float) -> None:
        self._start_height = height
        self._grasp_steps = 0
        self._lifted = False
        self._lifted_steps = 0
        self._ever_steady = False
        self._ever_grasped = False

    def reset(self, seen: TaskObservation) -> None:
        """Remember the height at which the target came to rest."""
        self._restart(seen.reference_height(self._target))

    def initial_stats(self) -> dict[str, Stat]:
        """Nothing yet."""
        return {"n_lift_significant": 0, "consec_grasp": False, "grasped": False}

    def evaluate(self, seen: TaskObservation) -> TaskResult:
        """Verdict on a step; counts it."""
        grasped = seen.is_grasped(self._target, MAX_ANGLE)
        if grasped:
            self._grasp_steps += 1
        else:
            self._grasp_steps = 0
            self._lifted = False
        raised = float(seen.poses[self._target][2]) - self._start_height
        if raised > LIFTED and not seen.foreign_contact(self._target, frozenset()):
            self._lifted = True
        significantly = self._lifted and raised > LIFTED_SIGNIFICANTLY
        steady = self._grasp_steps >= LONG_GRASP

        self._lifted_steps += significantly
        self._ever_steady |= steady
        self._ever_grasped |= grasped
        return TaskResult(
            success=self._lifted or self._lifted_steps >= ENOUGH_LIFTED_STEPS,
            flags={
                "is_grasped": grasped,
                "consecutive_grasp": steady,
                "lifted_object": self._lifted,
                "lifted_object_significantly": significantly,
            },
            episode_stats={
                "n_lift_significant": self._lifted_steps,
                "consec_grasp": self._ever_steady,
                "grasped": self._ever_grasped,
            },
        )


# ---- the original ----------------------------------------------------------------------------------------------------

GRASP = Family(
    GraspTask,
    GraspRule,
    KeywordTable(
        renamed={"distractor_config": "distractors", "density": "target_density", "model_ids": "targets"},
        orientation_flags={name: name for name in ("upright", "laid_vertically", "lr_switch")},
        lighting_flags={
            "slightly_brighter_lighting": "slightly_brighter",
            "slightly_darker_lighting": "slightly_darker",
            "darker_lighting": "darker",
        },
        fixed={"require_lifting_obj_for_success": True, "success_from_episode_stats": True},
        prepackaged_keeps=frozenset({"orientation", "distractors", "lighting", "max_steps", "target_density"}),
    ),
)
