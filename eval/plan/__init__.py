"""From suites and tasks to a frozen list of episodes."""

from eval.plan.suites import load_suite, make_plan, suite_names
from eval.tasks.loading import load_task, task_names

__all__ = ["load_suite", "load_task", "make_plan", "suite_names", "task_names"]
