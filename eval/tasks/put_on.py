"""Put the source on the goal (spec tasks 6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eval.episode import EpisodeSpec
from eval.tasks.base import (
    Array,
    Facts,
    SingleInstruction,
    Stat,
    TaskResult,
    flat_distance,
    model_sizes,
    model_with_role,
    turned_boxes,
)

MAX_ANGLE = 60.0
"""Degrees, of the grasp test."""
LONG_GRASP = 5
"""Steps in a row that count as a steady grasp."""
MOVED = 0.03
"""m, in the table plane."""
EDGE_MARGIN = 0.003
"""m by which the source's centre may lie outside the goal's half diagonal."""


class PutOnRule(SingleInstruction):
    """Success: in this very step the source lies over the goal, just above it, and touches what it may touch."""

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

    def reset(self, facts: Facts) -> None:
        """Remember where the objects came to rest, and their boxes turned as they lie."""
        self._restart()
        names = (self._source, self._goal)  # a fixture does not count
        self._starts = {name: np.array(facts.poses[name][:3], dtype=np.float64) for name in names}
        self._boxes = turned_boxes(facts, self._sizes, names)

    def initial_stats(self) -> dict[str, Stat]:
        """Nothing yet."""
        return {
            "moved_correct_obj": False,
            "moved_wrong_obj": False,
            "is_src_obj_grasped": False,
            "consecutive_grasp": False,
            "src_on_target": False,
        }

    def evaluate(self, facts: Facts) -> TaskResult:
        """Verdict on a step; counts it."""
        moved_correct, moved_wrong = self._moved(facts)
        grasped = facts.is_grasped(self._source, MAX_ANGLE)
        self._grasp_steps = self._grasp_steps + 1 if grasped else 0
        steady = self._grasp_steps >= LONG_GRASP
        on_goal = self._on_goal(facts)
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

    def _moved(self, facts: Facts) -> tuple[bool, bool]:
        """Whether the source, and whether another object, moved the most. The source's way ends at its centre of mass
        though it began at its origin, as in the original."""
        way = flat_distance(self._starts[self._source], facts.centers[self._source])
        others = [flat_distance(start, facts.poses[name]) for name, start in self._starts.items() if name != self._source]
        correct = way > MOVED and all(other < way for other in others)
        return correct, any(other > MOVED and other > way for other in others)

    def _on_goal(self, facts: Facts) -> bool:
        offset = np.asarray(facts.centers[self._source]) - np.asarray(facts.centers[self._goal])
        source_box, goal_box = self._boxes[self._source], self._boxes[self._goal]
        over = float(np.linalg.norm(offset[:2])) <= float(np.linalg.norm(goal_box[:2])) / 2 + EDGE_MARGIN
        gap = float(offset[2] - goal_box[2] / 2 - source_box[2] / 2)
        placed = over and float(offset[2]) > 0 and gap <= self._height_margin
        if placed and self._completely:
            return not facts.foreign_contact(self._source, frozenset({self._goal}))
        return placed
