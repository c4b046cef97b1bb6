"""Open a drawer, then put the target into it: two subtasks (spec tasks 5)."""

from __future__ import annotations

from eval.episode import EpisodeSpec
from eval.tasks.base import Facts, Stat, TaskResult, model_with_role
from eval.tasks.drawer import CLOSED, OPEN

FORCED_STEP = 100
"""Steps after which the second subtask begins by itself."""


class PlaceRule:
    """Success: in the second subtask the drawer is not closed and the target touched its floor once in the episode.

    The contact need not last and may date from the first subtask; whether the drawer was ever open enough to count as
    opened is told but does not decide.
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

    def reset(self, facts: Facts) -> None:
        """Begin with the first subtask."""
        self._restart()

    def initial_stats(self) -> dict[str, Stat]:
        """Nothing yet, however far the drawer is open."""
        return {"qpos": 0.0, "is_drawer_open": False, "has_contact": 0}

    def evaluate(self, facts: Facts) -> TaskResult:
        """Verdict on a step; counts it. A step after the hundredth belongs to the second subtask (spec Q48)."""
        if self._steps >= FORCED_STEP:
            self.advance()
        self._steps += 1
        opening = facts.drawers[self._drawer]
        self._was_open |= opening >= OPEN
        self._contact_steps += facts.lies_in_drawer(self._target, self._drawer)
        success = self._subtask == 1 and opening >= CLOSED and self._contact_steps >= 1
        stats = {"qpos": opening, "is_drawer_open": self._was_open, "has_contact": self._contact_steps}
        return TaskResult(success, {}, stats)
