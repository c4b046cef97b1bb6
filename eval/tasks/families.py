"""The table of task families: everything about a family is in the file of its name."""

from __future__ import annotations

from collections.abc import Mapping

from eval.episode import EpisodeSpec
from eval.tasks.base import Family, TaskRule
from eval.tasks.drawer import DRAWER
from eval.tasks.grasp import GRASP
from eval.tasks.move_near import MOVE_NEAR
from eval.tasks.place import PLACE
from eval.tasks.put_on import PUT_ON

FAMILIES: Mapping[str, Family] = {
    "grasp": GRASP,
    "put_on": PUT_ON,
    "move_near": MOVE_NEAR,
    "drawer": DRAWER,
    "place": PLACE,
}


def make_rule(spec: EpisodeSpec) -> TaskRule:
    """The success rule that the episode names."""
    return FAMILIES[spec.rule.family].rule(spec)
