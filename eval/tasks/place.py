"""Open a drawer, then put the target into it: two subtasks (docs/simpler.md, tasks 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from eval.episode import EpisodeSpec
from eval.tasks.base import Family, KeywordTable, Offset, Stat, TaskObservation, TaskResult, model_with_role
from eval.tasks.cabinet import CLOSED, KEYWORDS, OPEN, CabinetTask, cabinet_spec
from eval.tasks.reset_options import ResetOptions
from eval.tasks.sampling import (
    SampledStart,
    fresh,
    instruction_name,
    placed,
    sample_spot,
    sample_target,
    sample_turn,
    start_height,
)
from task_configs.schema.tasks import Box2, Setup

FORCED_STEP = 100
"""Steps after which the second subtask begins by itself."""


class PlaceTask(CabinetTask):
    """Open a drawer, then put the target into it (docs/simpler.md, tasks 5)."""

    family: Literal["place"]
    contact_offset: Offset = 0.005
    object_table: str
    """Table of ``objects.yaml`` that holds boxes and densities."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    """Model of the target; sampled where there are several."""
    area: Box2 = Box2(low=(-0.10, 0.0), high=(-0.05, 0.1))
    """Where on the cabinet the target is dropped if no position is given."""
    place_instruction: str
    """Instruction of the second subtask."""

    own_fields: ClassVar[frozenset[str]] = CabinetTask.own_fields | {"targets"}
    placeholders: ClassVar[Mapping[str, frozenset[str]]] = {
        "instruction": frozenset({"drawer"}),
        "place_instruction": frozenset({"name", "drawer"}),
    }
    has_grid: ClassVar[bool] = True

    @property
    def object_tables(self) -> Mapping[str, str]:
        """The one of all its objects."""
        return {"object_table": self.object_table}

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """All targets, also those of single settings."""
        setups = [v.setup for key in self.settings for v in self.variants(key)]
        chosen = [model for setup in setups for model in setup.targets or ()]
        return tuple((self.object_table, model) for model in dict.fromkeys([*self.targets, *chosen]))

    def target_choices(self, setup: Setup) -> tuple[str, ...]:
        """Models that the target is sampled from."""
        return setup.targets or self.targets

    def env_of(self, setup: Setup) -> str | None:
        """One class for each drawer, and one that samples the drawer."""
        return f"PlaceIntoClosed{self.fixed_drawer(setup).title()}DrawerCustomInScene-v0"

    def sample(self, setup: Setup, seed: int, options: ResetOptions) -> SampledStart:
        """Cabinet and the object on top of it; the object is sampled first and from a generator of its own."""
        target = sample_target(options, self.target_choices(setup), self.object_table, fresh(seed))
        drawer, setup = self.sample_drawer(setup, fresh(seed))

        rng, given = fresh(seed), options.obj_init_options
        xy = sample_spot(given, self.area, rng)
        quat = sample_turn(given, given.init_rot_quat or (1.0, 0.0, 0.0, 0.0), rng)
        item = placed(self.object_table, target, "target", xy, start_height(options), quat)
        place = self.place_instruction.format(name=instruction_name(target), drawer=drawer)
        cabinet = cabinet_spec(setup, drawer, 0.0, options)
        return SampledStart((item,), setup, self.instruction.format(drawer=drawer), rng, cabinet, (place,))


class PlaceRule:
    """Success: in the second subtask the drawer is not closed and the target touched its floor once in the episode.

    The contact need not last and may date from the first subtask; whether the drawer was ever open enough to count as
    opened is reported but does not decide.
    """

    def __init__(self, spec: EpisodeSpec) -> None:
        if spec.cabinet is None:
            raise ValueError(f"{spec.task} needs a cabinet")
        self._drawer = spec.cabinet.drawer
        self._target = model_with_role(spec, "target")
        self._instructions = (spec.instruction, *spec.later_instructions)
        self._restart()

    def _restart(self) -> None:
        self._subtask = 0
        self._steps = 0
        self._was_open = False
        self._contact_steps = 0

    @property
    def instruction(self) -> str:
        """That of the present subtask."""
        return self._instructions[self._subtask]

    @property
    def is_final_subtask(self) -> bool:
        """Whether the target is to be placed by now."""
        return self._subtask == 1

    def advance(self) -> None:
        """Begin the second subtask."""
        self._subtask = 1

    def reset(self, seen: TaskObservation) -> None:
        """Begin with the first subtask."""
        self._restart()

    def initial_stats(self) -> dict[str, Stat]:
        """Nothing yet, however far the drawer is open."""
        return {"qpos": 0.0, "is_drawer_open": False, "has_contact": 0}

    def evaluate(self, seen: TaskObservation) -> TaskResult:
        """Verdict on a step; counts it. A step after the hundredth belongs to the second subtask (docs/simpler.md Q48)."""
        if self._steps >= FORCED_STEP:
            self.advance()
        self._steps += 1
        opening = seen.drawers[self._drawer]
        self._was_open |= opening >= OPEN
        self._contact_steps += seen.lies_in_drawer(self._target, self._drawer)
        success = self._subtask == 1 and opening >= CLOSED and self._contact_steps >= 1
        stats = {"qpos": opening, "is_drawer_open": self._was_open, "has_contact": self._contact_steps}
        return TaskResult(success, {}, stats)


PLACE = Family(
    PlaceTask,
    PlaceRule,
    KeywordTable(
        renamed={**KEYWORDS, "model_ids": "targets"},
        fixed={"force_advance_subtask_time_steps": FORCED_STEP},
        prepackaged_keeps=frozenset({"targets", "max_steps"}),
    ),
)
