"""Open or close a drawer (spec tasks 3)."""

from __future__ import annotations

from eval.episode import EpisodeSpec
from eval.tasks.base import Facts, SingleInstruction, Stat, TaskResult

OPEN, CLOSED = 0.15, 0.05
"""m."""


class DrawerRule(SingleInstruction):
    """Success: in this very step the drawer is far enough open, or closed."""

    def __init__(self, spec: EpisodeSpec) -> None:
        super().__init__(spec)
        if spec.cabinet is None:
            raise ValueError(f"{spec.task} needs a cabinet")
        self._drawer = spec.cabinet.drawer
        self._opens = spec.rule.verb == "open"

    def reset(self, facts: Facts) -> None:
        """The rule remembers nothing."""

    def initial_stats(self) -> dict[str, Stat]:
        """A number here and a text later, as in the original."""
        return {"qpos": 0.0}

    def evaluate(self, facts: Facts) -> TaskResult:
        """Verdict on a step."""
        opening = facts.drawers[self._drawer]
        success = opening >= OPEN if self._opens else opening <= CLOSED
        return TaskResult(success, {}, {"qpos": f"{opening:.3f}"})
