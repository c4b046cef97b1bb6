"""Tasks, suites and numbers as data, and the models that read them."""

from task_configs.families import CabinetTask, DrawerTask, GraspTask, MoveNearTask, PlaceTask, PutOnTask, Task
from task_configs.loader import (
    counts_in_average,
    lights,
    load_suite,
    load_task,
    objects,
    own_task_text,
    robot_places,
    robots,
    scenes,
    suite_names,
    task_names,
)
from task_configs.own import add_own_task, own_tasks, task_called
from task_configs.schema.tasks import Setup, Suite, Variant

__all__ = [
    "CabinetTask",
    "DrawerTask",
    "GraspTask",
    "MoveNearTask",
    "PlaceTask",
    "PutOnTask",
    "Setup",
    "Suite",
    "Task",
    "Variant",
    "add_own_task",
    "counts_in_average",
    "lights",
    "load_suite",
    "load_task",
    "objects",
    "own_task_text",
    "own_tasks",
    "robot_places",
    "robots",
    "scenes",
    "suite_names",
    "task_called",
    "task_names",
]
