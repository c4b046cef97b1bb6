"""From a suite or tasks to a frozen list of episodes.

Neither ``limit`` nor ``sample`` changes an episode or its id; they only choose. ``max_steps`` does: an episode with
another step limit is another episode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby, pairwise

import numpy as np

from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.simpler_api import build_spec, read_options, resets_of
from task_configs import load_suite, load_task, suite_names, task_called, task_names
from task_configs.schema.tasks import Episodes, Part, Variant

DEFAULT_SUITE = "demo"
GOLDEN_SECTION = (math.sqrt(5) - 1) / 2


def make_plan(
    suite: str | Sequence[str] | None = None,
    tasks: Sequence[str] = (),
    setting: str = "visual_matching",
    *,
    variants: Sequence[str] = (),
    seed: int | None = None,
    limit: int | None = None,
    sample: float | None = None,
    max_steps: int | None = None,
) -> list[EpisodeSpec]:
    """The episodes of a suite or of a setting of some tasks; without either, the demo.

    Args:
        suite: name of a suite, or path of a suite file; or several, an episode that two of them hold is played once.
        tasks: names of tasks, or paths of task files; not together with a suite.
        setting: which sweep of the tasks.
        variants: only the variants of the tasks that match one of these name patterns; not together with a suite.
        seed: first seed of the seeded random scenes (``prepackaged``: episode i is what the original's
            ``reset(seed=seed + i)`` gives), and seed of ``sample``. Default 0.
        limit: at most so many episodes per task, spread evenly over variants and placements: a limit of 3 sees all
            three orientations of the can, and a smaller limit takes a part of what a larger one takes. Seeded random
            scenes: exactly so many.
        sample: this share of each task's episodes (more than 0, at most 1), evenly over the grid, drawn by ``seed``.
        max_steps: step limit instead of the task's own.

    Raises:
        UserError: unknown suite, task, setting or variant, or a number out of range.
    """
    suites = [suite] if isinstance(suite, str) else list(suite or ())
    if suites and tasks:
        raise UserError("Give either a suite or tasks, not both.")
    if variants and not tasks:
        raise UserError("Variants are chosen of tasks: give tasks with them.")
    if limit is not None and limit < 1:
        raise UserError(f"limit is {limit}; it must be at least 1.")
    if sample is not None and not 0 < sample <= 1:
        raise UserError(f"sample is {sample}; it must be more than 0 and at most 1.")
    if max_steps is not None and max_steps < 1:
        raise UserError(f"max_steps is {max_steps}; it must be at least 1.")
    if seed is not None and not 0 <= seed < 2**32:
        raise UserError(f"seed is {seed}; it must be between 0 and 2**32 - 1.")

    names = [task_called(task) for task in tasks]
    if tasks:
        parts = _parts_of_tasks(names, setting, variants)
    else:
        parts = tuple(part for name in suites or [DEFAULT_SUITE] for part in load_suite(name).parts)
    by_task: dict[str, dict[str, EpisodeSpec]] = {}
    for part in parts:
        specs = _expand(part, seed or 0, limit if sample is None else None)
        by_task.setdefault(part.task, {}).update((spec.id, spec) for spec in specs)
    plan = []
    for by_id in by_task.values():
        specs = list(by_id.values())
        chosen = specs if sample is None else _sample(specs, sample, seed or 0)
        plan += chosen if limit is None else spread(chosen, limit)
    if max_steps is not None:
        plan = [EpisodeSpec(**{**spec.model_dump(), "max_steps": max_steps}) for spec in plan]
    return plan


def spread(specs: Sequence[EpisodeSpec], count: int) -> list[EpisodeSpec]:
    """``count`` of the episodes, evenly over variants and within them, in their old order.

    The variants take turns (in a plan their first axis runs fastest); within a variant the places follow a stride of
    about the golden section, each variant beginning elsewhere.
    """
    cells = groupby(range(len(specs)), key=lambda i: (specs[i].setting, specs[i].variant))
    groups = [list(places) for _, places in cells]
    orders = []
    for number, group in enumerate(groups):
        order = _strided(len(group))
        begin = number * len(group) // len(groups)
        orders.append([group[place] for place in order[begin:] + order[:begin]])
    turns = [order[turn] for turn in range(max(map(len, orders), default=0)) for order in orders if turn < len(order)]
    return [specs[i] for i in sorted(turns[:count])]


def _parts_of_tasks(tasks: Sequence[str], setting: str, variants: Sequence[str]) -> tuple[Part, ...]:
    for task in tasks:
        known = load_task(task).settings
        if setting not in known:
            raise UserError(f'{task} has no setting "{setting}".{did_you_mean(setting, known)}')
    patterns = tuple(variants) or ("*",)
    return tuple(Part(task=task, setting=setting, variants=patterns) for task in dict.fromkeys(tasks))


def _expand(part: Part, seed: int, limit: int | None) -> list[EpisodeSpec]:
    """All episodes of a part, variant by variant."""
    task = load_task(part.task)
    names = [v.name for v in task.variants(part.setting)]
    for wanted in part.variants:  # each must match: a misspelt one among others would quietly shrink the plan
        if not any(fnmatchcase(name, wanted) for name in names):
            raise UserError(f"No variant of {part.task} matches {wanted!r}.{did_you_mean(wanted, names)}")
    variants = [v for v in task.variants(part.setting) if any(fnmatchcase(v.name, p) for p in part.variants)]
    episodes = task.settings[part.setting].episodes
    if episodes.seeds is not None:
        episodes = Episodes(seeds=limit or part.limit or episodes.seeds)
    specs = [spec for variant in variants for spec in _episodes(part, variant, episodes, seed)]
    return specs if part.limit is None else spread(specs, part.limit)


def _episodes(part: Part, variant: Variant, episodes: Episodes, seed: int) -> list[EpisodeSpec]:
    """The episodes of one variant."""
    return [
        build_spec(
            part.task,
            reset.setup,
            reset.seed,
            read_options({"obj_init_options": reset.objects}),
            setting=part.setting,
            variant=variant.name,
            index=reset.index,
        )
        for reset in resets_of(variant.setup, episodes, seed)
    ]


def _sample(specs: Sequence[EpisodeSpec], share: float, seed: int) -> list[EpisodeSpec]:
    """One episode drawn from each of equally long stretches of the list, so every variant gets its share."""
    count = max(1, round(share * len(specs)))
    rng = np.random.RandomState(seed)
    bounds = [stretch * len(specs) // count for stretch in range(count + 1)]
    return [specs[low + int(rng.randint(high - low))] for low, high in pairwise(bounds)]


def _strided(count: int) -> list[int]:
    """0 .. count-1 by steps of about the golden section of ``count``: any beginning of it is spread evenly."""
    stride = next(step for step in range(math.ceil(GOLDEN_SECTION * count), 2 * count + 1) if math.gcd(step, count) == 1)
    return [i * stride % count for i in range(count)]


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
    """Every setting of every task."""
    found = []
    for name in task_names():
        task = load_task(name)
        for key, setting in task.settings.items():
            variants = len(task.variants(key))
            episodes = variants * setting.episodes.count
            found.append(SettingInfo(name, key, task.setup.robot, task.about, variants, episodes, task.max_steps))
    return found


def describe_suites() -> list[SuiteInfo]:
    """Every suite."""
    found = []
    for name in suite_names():
        plan, suite = make_plan(suite=name), load_suite(name)
        found.append(SuiteInfo(name, suite.about, tuple(dict.fromkeys(spec.task for spec in plan)), len(plan)))
    return found
