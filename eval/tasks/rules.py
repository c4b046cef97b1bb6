"""From an episode to the rule that judges it; one class a task family."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eval.episode import EpisodeSpec
from eval.tasks.base import TaskRule
from eval.tasks.drawer import DrawerRule
from eval.tasks.grasp import GraspRule
from eval.tasks.move_near import MoveNearRule
from eval.tasks.place import PlaceRule
from eval.tasks.put_on import PutOnRule

RULES: Mapping[str, Callable[[EpisodeSpec], TaskRule]] = {
    "grasp": GraspRule,
    "move_near": MoveNearRule,
    "put_on": PutOnRule,
    "drawer": DrawerRule,
    "place": PlaceRule,
}


def make_rule(spec: EpisodeSpec) -> TaskRule:
    """The rule that the episode names."""
    return RULES[spec.rule.family](spec)
