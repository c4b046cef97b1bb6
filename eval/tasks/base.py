"""The base of all task families: the interface of a family, of its task files and of its success rule.

Nothing here knows a simulator.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from eval.episode import EpisodeSpec, RuleSpec
from eval.tasks.reset_options import ResetOptions
from eval.tasks.sampling import SampledStart
from task_configs.schema.parsing import StrictModel
from task_configs.schema.tasks import Choice, FamilyName, Label, Setting, Setup, SetupOfTask, Steps, Variant, Vec4

Offset = Annotated[float, Field(gt=0, le=1)]
"""m."""
Array = NDArray[np.floating[Any]]
Stat = bool | int | float | str


class TaskBase(StrictModel):
    """A task file. Every family adds its fields and samples its own initial states."""

    family: FamilyName
    about: str
    instruction: str
    max_steps: Steps
    contact_offset: Offset
    """m, of convex and primitive shapes (docs/simpler.md 2)."""
    stage_collides: bool = True
    """Whether the stage is more than something to be seen (docs/simpler.md 9.1)."""
    hidden: tuple[str, ...] = ()
    """Objects that the photo shows and the render must not cover (docs/simpler.md 8.2)."""
    lights: str
    """Family of ``lights.yaml``."""
    setup: SetupOfTask
    envs: dict[str, Choice] = Field(default_factory=dict)
    """Env ids of the original that are this task, and what each changes."""
    settings: Annotated[dict[Label, Setting], Field(min_length=1)]

    required: ClassVar[tuple[str, ...]] = ()
    """Fields of a setup that the family cannot do without."""
    own_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields of a setup that this family understands and not all of them do."""
    placeholders: ClassVar[Mapping[str, frozenset[str]]] = {"instruction": frozenset()}
    """Field that is an instruction -> words in braces that are replaced in it."""
    has_grid: ClassVar[bool] = False
    """Whether ``x`` and ``y`` of the episodes place its target."""

    @abstractmethod
    def sample(self, setup: Setup, seed: int, options: ResetOptions) -> SampledStart:
        """The initial state: values that neither setup nor options give are sampled by the seed. Raises UserError."""

    @property
    def rule(self) -> RuleSpec:
        """The success rule, with the numbers that the task chooses."""
        return RuleSpec(family=self.family)

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """Every (table, model) that an episode may hold."""
        return ()

    @property
    def placements(self) -> int:
        """Number of placements that ``episode_id`` chooses from; 0 where the family does not number them."""
        return 0

    @property
    def object_tables(self) -> Mapping[str, str]:
        """Field -> the table of ``objects.yaml`` that it names."""
        return {}

    @property
    def known_names(self) -> Mapping[str, Collection[str]]:
        """Field of a setup -> names that it may hold, for the fields that only some families have."""
        return {}

    def target_choices(self, setup: Setup) -> tuple[str, ...]:
        """Models that the target is sampled from; empty where the family has no such choice."""
        return ()

    def distractors(self, setup: Setup) -> tuple[str, ...]:
        """Models that stand beside the target."""
        return ()

    def env_of(self, setup: Setup) -> str | None:
        """Env id of the original whose scripts make the episodes of a setup; None where it has none."""
        return setup.env

    def orientation_name(self, quat: Vec4) -> str | None:
        """Name of a start rotation (w x y z), where the family names them."""
        return None

    def variants(self, setting: str) -> tuple[Variant, ...]:
        """All variants of a setting, the first axis running fastest; a setting without axes has the one ``default``."""
        chosen = self.settings[setting]
        base = chosen.setup.applied_to(self.setup)
        variants = []
        for labels in itertools.product(*(axis.items() for axis in reversed(chosen.axes))):
            setup, counts = base, True
            for _, choice in reversed(labels):
                setup, counts = choice.applied_to(setup), counts and choice.in_average
            variants.append(Variant("/".join(label for label, _ in reversed(labels)) or "default", setup, counts))
        return tuple(variants)


@dataclass(frozen=True)
class KeywordTable:
    """Constructor keywords that one family of the original understands, beyond those that all families do."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    """Keyword -> field of a setup."""
    orientation_flags: Mapping[str, str] = field(default_factory=dict)
    lighting_flags: Mapping[str, str] = field(default_factory=dict)
    """Boolean keyword -> value of the field; the first of them that is set decides."""
    light_modes: Mapping[str, str] = field(default_factory=dict)
    """Value of the keyword ``light_mode`` -> light set, where the two are called differently."""
    fixed: Mapping[str, bool | int] = field(default_factory=dict)
    """Keyword -> the one value that is built: others would change the rules."""
    prepackaged_keeps: frozenset[str] = frozenset({"max_steps"})
    """Fields that the caller may still choose in the prepackaged setting; it overwrites the rest."""


@dataclass(frozen=True)
class Family:
    """A task family."""

    task: type[TaskBase]
    """Its task files, and how their initial states are sampled."""
    rule: Callable[[EpisodeSpec], TaskRule]
    """Its success rule."""
    keywords: KeywordTable


@dataclass(frozen=True)
class TaskObservation:
    """The world as it stands after a control step (contacts: after its last substep)."""

    poses: Mapping[str, Array]
    """(7,) x y z qw qx qy qz of every object's actor frame, world, by name."""
    centers: Mapping[str, Array]
    """(3,) centre of mass of every object, world, m, by name."""
    is_grasped: Callable[[str, float], bool]
    """Object name and greatest angle [degrees] between impulse and opening direction -> grasp check
    (docs/simpler.md 3.5, 4)."""
    foreign_contact: Callable[[str, frozenset[str]], bool]
    """Object name and allowed others -> whether anything but robot links and the allowed presses on the object."""
    reference_heights: Mapping[str, float] | None = None
    """At the start only: height [m] of every object's actor frame as it came to rest. A grasp target's is taken before
    the distractors fall, so it may differ from ``poses``; None: the heights in ``poses``."""
    drawers: Mapping[str, float] = field(default_factory=dict)
    """m, how far every drawer of the cabinet is open, by name; single precision, as the original reads it."""
    lies_in_drawer: Callable[[str, str], bool] = lambda name, drawer: False
    """Object name and drawer -> whether the two press on each other at the drawer's floor (docs/simpler.md, tasks 5)."""

    def reference_height(self, name: str) -> float:
        """Height [m] that later heights of this object are compared with."""
        if self.reference_heights is None:
            return float(self.poses[name][2])
        return float(self.reference_heights[name])


@dataclass(frozen=True)
class TaskResult:
    """Verdict on one control step."""

    success: bool
    flags: Mapping[str, bool]
    """The original's step info besides success and statistics."""
    episode_stats: Mapping[str, Stat]
    """Statistics of the episode so far, in the original's order."""


class TaskRule(Protocol):
    """Success rule of one episode; ``evaluate`` is called exactly once a control step, since rules count steps."""

    @property
    def instruction(self) -> str:
        """Instruction of the present subtask."""
        ...

    @property
    def is_final_subtask(self) -> bool:
        """Whether the policy's "done" may end the episode."""
        ...

    def reset(self, seen: TaskObservation) -> None:
        """Begin an episode whose objects have come to rest as ``seen`` says."""
        ...

    def initial_stats(self) -> dict[str, Stat]:
        """Statistics before the first step."""
        ...

    def evaluate(self, seen: TaskObservation) -> TaskResult:
        """Verdict on the step that led to ``seen``."""
        ...

    def advance(self) -> None:
        """Begin the next subtask; does nothing in the last one."""
        ...


class SingleInstruction:
    """Tasks of one subtask: one instruction, and "done" ends the episode."""

    def __init__(self, spec: EpisodeSpec) -> None:
        self._instruction = spec.instruction

    @property
    def instruction(self) -> str:
        """The episode's instruction."""
        return self._instruction

    @property
    def is_final_subtask(self) -> bool:
        """Always."""
        return True

    def advance(self) -> None:
        """There is no other subtask."""


def model_with_role(spec: EpisodeSpec, role: str) -> str:
    """Name of the episode's object in this role."""
    return next(entry.model for entry in spec.objects if entry.role == role)


def model_sizes(spec: EpisodeSpec) -> dict[str, tuple[float, float, float]]:
    """(3,) m, box of every object along its model's axes, by name."""
    return {entry.model: entry.size for entry in spec.objects}


def turned_boxes(
    seen: TaskObservation, sizes: Mapping[str, tuple[float, float, float]], names: Sequence[str]
) -> dict[str, Array]:
    """(3,) m, boxes turned as the objects lie. Turned as vectors, without absolute values: entries may become negative,
    and only their lengths and differences mean something (docs/simpler.md, tasks 2).
    """
    return {name: rotated(seen.poses[name][3:], sizes[name]) for name in names}


def rotated(quat: Array, vector: tuple[float, float, float]) -> NDArray[np.float64]:
    """(3,) vector turned by a quaternion w x y z."""
    w, axis = float(quat[0]), np.asarray(quat[1:], dtype=np.float64)
    v = np.asarray(vector, dtype=np.float64)
    return np.asarray(v + 2 * w * np.cross(axis, v) + 2 * np.cross(axis, np.cross(axis, v)))


def flat_distance(a: Array, b: Array) -> float:
    """m, in the table plane."""
    return float(np.linalg.norm(np.asarray(a, dtype=np.float64)[:2] - np.asarray(b, dtype=np.float64)[:2]))
