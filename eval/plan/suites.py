"""From a suite or tasks to a frozen list of episodes.

Neither ``limit`` nor ``sample`` changes an episode or its id; they only choose. ``max_steps`` does: an episode with
another step limit is another episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.plan.axes import episodes_of, matching_variants
from eval.plan.sampling import sample as take_sample
from eval.plan.sampling import spread
from eval.tasks.loading import load_task, task_file
from eval.tasks.user_tasks import ENDINGS, task_name
from task_configs.schema.parsing import parse, read_yaml
from task_configs.schema.tasks import Episodes, Part, Suite, Variant

DEFAULT_SUITE = "demo"
FOLDER = Path(str(resources.files("task_configs"))) / "suites"


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
        limit: at most N episodes per task, spread evenly over variants and placements: a limit of 3 sees all
            three orientations of the can, and a smaller limit takes a part of what a larger one takes. Seeded random
            scenes: exactly N.
        sample: this share of each task's episodes (more than 0, at most 1), evenly over the grid, sampled by ``seed``.
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

    names = [task_name(task) for task in tasks]
    if tasks:
        parts = _parts_of_tasks(names, setting, variants)
    else:
        parts = tuple(part for name in suites or [DEFAULT_SUITE] for part in load_suite(name).parts)
    by_task: dict[str, dict[str, EpisodeSpec]] = {}
    for part in parts:
        specs = _expand(part, seed or 0, limit if sample is None else None, max_steps)
        by_task.setdefault(part.task, {}).update((spec.id, spec) for spec in specs)
    plan = []
    for by_id in by_task.values():
        specs = list(by_id.values())
        chosen = specs if sample is None else take_sample(specs, sample, seed or 0)
        plan += chosen if limit is None else spread(chosen, limit)
    return plan


def suite_names() -> tuple[str, ...]:
    """Names of all suites, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load_suite(name: str) -> Suite:
    """A suite by name, or from a ``.yaml`` file by path. Raises UserError for an unknown name or an unusable file."""
    if name.endswith(ENDINGS):
        return read_suite(Path(name))
    if name not in suite_names():
        raise UserError(f'No suite "{name}".{did_you_mean(name, suite_names())}')
    return read_suite(FOLDER / f"{name}.yaml")


def read_suite(path: Path) -> Suite:
    """A suite from a file; its tasks and settings are checked. A task may be a file, named relative to the suite's."""
    suite = parse(Suite, read_yaml(path), str(path))
    parts = []
    for number, part in enumerate(suite.parts):
        place = f"{path}: parts.{number}"
        name = task_name(part.task, path.parent)
        task_file(name, f"{place}.task: no task")
        known = load_task(name).settings
        if part.setting not in known:
            raise UserError(f'{place}.setting: no setting "{part.setting}".{did_you_mean(part.setting, known)}')
        parts.append(part.model_copy(update={"task": name}))
    return suite.model_copy(update={"parts": tuple(parts)})


def _parts_of_tasks(tasks: Sequence[str], setting: str, variants: Sequence[str]) -> tuple[Part, ...]:
    for task in tasks:
        known = load_task(task).settings
        if setting not in known:
            raise UserError(f'{task} has no setting "{setting}".{did_you_mean(setting, known)}')
    patterns = tuple(variants) or ("*",)
    return tuple(Part(task=task, setting=setting, variants=patterns) for task in dict.fromkeys(tasks))


def _expand(part: Part, seed: int, limit: int | None, max_steps: int | None) -> list[EpisodeSpec]:
    """All episodes of a part, variant by variant."""
    episodes = load_task(part.task).settings[part.setting].episodes
    if episodes.seeds is not None:
        episodes = Episodes(seeds=limit or part.limit or episodes.seeds)
    variants = matching_variants(part.task, part.setting, part.variants)
    if max_steps is not None:
        variants = [_with_step_limit(variant, max_steps) for variant in variants]
    specs = [spec for variant in variants for spec in episodes_of(part.task, part.setting, variant, episodes, seed)]
    return specs if part.limit is None else spread(specs, part.limit)


def _with_step_limit(variant: Variant, max_steps: int) -> Variant:
    return variant._replace(setup=variant.setup.model_copy(update={"max_steps": max_steps}))
