"""Lists for the user: every setting of every task, and every suite."""

from __future__ import annotations

from dataclasses import dataclass

from eval.plan.options import PlanOptions
from eval.plan.suites import choose_episodes, load_suite, suite_names
from eval.tasks.loading import usable_tasks


@dataclass(frozen=True)
class SettingInfo:
    """A setting of a task, for lists."""

    task: str
    setting: str
    robot: str
    about: str
    variants: int
    episodes: int
    """Over all variants; of seeded random scenes the default number."""
    max_steps: int


@dataclass(frozen=True)
class SuiteInfo:
    """A suite, for lists."""

    suite: str
    about: str
    tasks: tuple[str, ...]
    episodes: int


def describe_tasks() -> list[SettingInfo]:
    """Every setting of every task that can be loaded."""
    settings = []
    for name, task in usable_tasks()[0].items():
        for key, setting in task.settings.items():
            variants = len(task.variants(key))
            episodes = variants * setting.episodes.count
            settings.append(SettingInfo(name, key, task.setup.robot, task.about, variants, episodes, task.max_steps))
    return settings


def describe_suites() -> list[SuiteInfo]:
    """Every suite."""
    suites = []
    for name in suite_names():
        plan = choose_episodes(PlanOptions(suites=(name,)))
        suites.append(SuiteInfo(name, load_suite(name).about, tuple(dict.fromkeys(e.task for e in plan)), len(plan)))
    return suites
