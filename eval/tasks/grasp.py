"""Grasp the target and lift it (spec tasks 1)."""

from __future__ import annotations

from eval.episode import EpisodeSpec
from eval.tasks.base import Facts, SingleInstruction, Stat, TaskResult, model_with_role

MAX_ANGLE = 80.0
"""Degrees, of the grasp test."""
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

    def reset(self, facts: Facts) -> None:
        """Remember the height at which the target came to rest."""
        self._restart(facts.reference_height(self._target))

    def initial_stats(self) -> dict[str, Stat]:
        """Nothing yet."""
        return {"n_lift_significant": 0, "consec_grasp": False, "grasped": False}

    def evaluate(self, facts: Facts) -> TaskResult:
        """Verdict on a step; counts it."""
        grasped = facts.is_grasped(self._target, MAX_ANGLE)
        if grasped:
            self._grasp_steps += 1
        else:
            self._grasp_steps = 0
            self._lifted = False
        raised = float(facts.poses[self._target][2]) - self._start_height
        if raised > LIFTED and not facts.foreign_contact(self._target, frozenset()):
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
