"""Tasks, suites and numbers as data, and the models that read them."""

from task_configs.loader import (
    counts_in_average,
    lights,
    load_suite,
    load_task,
    objects,
    robots,
    scenes,
    suite_names,
    task_names,
)
from task_configs.models import GraspTask, PutOnTask, Setup, Suite, Task, Variant

__all__ = [
    "GraspTask",
    "PutOnTask",
    "Setup",
    "Suite",
    "Task",
    "Variant",
    "counts_in_average",
    "lights",
    "load_suite",
    "load_task",
    "objects",
    "robots",
    "scenes",
    "suite_names",
    "task_names",
]
