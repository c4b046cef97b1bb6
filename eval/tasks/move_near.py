"""Move the source near the target, away from the third object (spec tasks 2)."""

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

    def reset(self, facts: Facts) -> None:
        """Remember where the objects came to rest, and the boxes of source and target turned as they lie."""
        self._starts = {name: np.array(pose[:3], dtype=np.float64) for name, pose in facts.poses.items()}
        self._boxes = turned_boxes(facts, self._sizes, (self._source, self._target))

    def initial_stats(self) -> dict[str, Stat]:
        """Nothing yet."""
        names = ("all_obj_keep_height", "moved_correct_obj", "moved_wrong_obj", "near_tgt_obj", "is_closest_to_tgt")
        return dict.fromkeys(names, False)

    def evaluate(self, facts: Facts) -> TaskResult:
        """Verdict on a step."""
        ways = {name: flat_distance(start, facts.poses[name]) for name, start in self._starts.items()}
        way = ways.pop(self._source)
        between = flat_distance(facts.centers[self._source], facts.centers[self._target])
        room = sum(float(np.linalg.norm(box[:2])) / 2 for box in self._boxes.values())
        # Distances to the others end at their origin, the one to the target at its centre of mass, as in the original.
        to_others = [flat_distance(facts.centers[self._source], facts.poses[name]) for name in ways]
        flags = {
            "all_obj_keep_height": all(self._keeps_height(name, facts) for name in self._starts),
            "moved_correct_obj": way > MOVED and all(other < way for other in ways.values()),
            "moved_wrong_obj": any(o > MOVED for o in ways.values()) and any(o > way for o in ways.values()),
            "near_tgt_obj": between < room + NEAR_MARGIN,
            "is_closest_to_tgt": all(between < other + CLOSEST_MARGIN for other in to_others),
        }
        success = all(met for name, met in flags.items() if name != "moved_wrong_obj")
        return TaskResult(success, flags, dict(flags))

    def _keeps_height(self, name: str, facts: Facts) -> bool:
        """Source and target are measured at their centre of mass, but from where their origin came to rest."""
        start = float(self._starts[name][2])
        if name in (self._source, self._target):
            return float(facts.centers[name][2]) - start > -MOVED_MAY_SINK
        return float(facts.poses[name][2]) - start > -OTHER_MAY_SINK
