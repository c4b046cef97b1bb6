"""From an episode to the rule that judges it; one class a task family."""

from __future__ import annotations

from eval.envs.tasks.base import TaskRule
from eval.envs.tasks.drawer import DrawerRule
from eval.envs.tasks.grasp import GraspRule
from eval.envs.tasks.move_near import MoveNearRule
from eval.envs.tasks.place import PlaceRule
from eval.envs.tasks.put_on import PutOnRule
from eval.episode import EpisodeSpec
from task_configs import DrawerTask, GraspTask, MoveNearTask, PlaceTask, load_task


def make_rule(spec: EpisodeSpec) -> TaskRule:
    """The rule of the episode's task."""
    task = load_task(spec.task)
    if isinstance(task, GraspTask):
        return GraspRule(spec)
    if isinstance(task, MoveNearTask):
        return MoveNearRule(spec, task)
    if isinstance(task, DrawerTask):
        return DrawerRule(spec, task)
    if isinstance(task, PlaceTask):
        return PlaceRule(spec)
    return PutOnRule(spec, task)
