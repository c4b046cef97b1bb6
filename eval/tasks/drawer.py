"""Open or close a drawer (docs/simpler.md, tasks 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from eval.episode import EpisodeSpec, RuleSpec
from eval.tasks.base import Family, KeywordTable, Offset, SingleInstruction, Stat, TaskObservation, TaskResult
from eval.tasks.cabinet import CLOSED, KEYWORDS, OPEN, CabinetTask, cabinet_spec
from eval.tasks.reset_options import ResetOptions
from eval.tasks.sampling import SampledStart, fresh
from task_configs.schema.tasks import Setup


class DrawerTask(CabinetTask):
    """Open or close a drawer (docs/simpler.md, tasks 3)."""

    family: Literal["drawer"]
    contact_offset: Offset = 0.02
    verb: Literal["open", "close"]
    start_opening: Annotated[float, Field(ge=0, le=1)]
    """m, of the task's drawer; the others are closed."""

    placeholders: ClassVar[Mapping[str, frozenset[str]]] = {"instruction": frozenset({"drawer"})}

    @property
    def rule(self) -> RuleSpec:
        """Whether the drawer is to be opened or closed."""
        return RuleSpec(family=self.family, verb=self.verb)

    def env_of(self, setup: Setup) -> str | None:
        """One class for each verb and drawer, and one for each verb that samples the drawer."""
        return f"{self.verb.title()}{self.fixed_drawer(setup).title()}DrawerCustomInScene-v0"

    def sample(self, setup: Setup, seed: int, options: ResetOptions) -> SampledStart:
        """Drawer, photo with the robot's place, and colours."""
        drawer, setup = self.sample_drawer(setup, fresh(seed))
        cabinet = cabinet_spec(setup, drawer, self.start_opening, options)
        return SampledStart((), setup, self.instruction.format(drawer=drawer), fresh(seed), cabinet)


class DrawerRule(SingleInstruction):
    """Success: in this very step the drawer is far enough open, or closed."""

    def __init__(self, spec: EpisodeSpec) -> None:
        super().__init__(spec)
        if spec.cabinet is None:
            raise ValueError(f"{spec.task} needs a cabinet")
        self._drawer = spec.cabinet.drawer
        self._opens = spec.rule.verb == "open"

    def reset(self, seen: TaskObservation) -> None:
        """The rule remembers nothing."""

    def initial_stats(self) -> dict[str, Stat]:
        """A number here and a text later, as in the original."""
        return {"qpos": 0.0}

    def evaluate(self, seen: TaskObservation) -> TaskResult:
        """Verdict on a step."""
        opening = seen.drawers[self._drawer]
        success = opening >= OPEN if self._opens else opening <= CLOSED
        return TaskResult(success, {}, {"qpos": f"{opening:.3f}"})


DRAWER = Family(DrawerTask, DrawerRule, KeywordTable(renamed=KEYWORDS))
