"""From a suite or tasks to a frozen list of episodes.

Neither ``limit`` nor ``sample`` changes an episode or its id; they only choose. ``max_steps`` does: an episode with
another step limit is another episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path

from eval.episode import EpisodeSpec, PlacementSet
from eval.errors import UserError, did_you_mean
from eval.given import Texts
from eval.plan.axes import PlannedEpisode, built, matching_variants, planned_episodes
from eval.plan.environments import environment_part, is_environment, refuse_misspelt
from eval.plan.naming import refuse_unmeant
from eval.plan.options import DEFAULT_SETTING, PlanOptions, plan_options
from eval.plan.placements import placed_episodes
from eval.plan.sampling import sample as take_sample
from eval.plan.sampling import spread
from eval.simpler_api.from_reset import task_of_env
from eval.tasks.loading import load_task, require_setting, task_file, task_names
from eval.tasks.user_tasks import ENDINGS, task_name
from task_configs.schema.parsing import parse
from task_configs.schema.tasks import Episodes, Part, Suite, Variant
from task_configs.schema.yaml_files import read_mapping

DEFAULT_SUITE = "demo"
FOLDER = Path(str(resources.files("task_configs"))) / "suites"


def make_plan(
    suite: Texts | None = None,
    tasks: Texts | None = None,
    setting: str | None = None,
    *,
    variants: Texts = (),
    placements: PlacementSet | None = None,
    count: int | None = None,
    seed: int | None = None,
    limit: int | None = None,
    sample: float | None = None,
    max_steps: int | None = None,
) -> list[EpisodeSpec]:
    """The episodes of a suite or of a setting of some tasks; without either, the demo.

    Args:
        suite: name of a suite, or path of a suite file; or several, an episode that two of them hold is played once.
        tasks: name of a task, path of a task file, or an environment id of the original (the variants that it plays); or
            several. Not together with a suite.
        setting: which sweep of the tasks; ``visual_matching`` if not given.
        variants: only the variants of the tasks that match one of these name patterns; not together with a suite. Each pattern
            must match in one of the tasks, and in each task a variant must match.
        placements: which initial states: ``published`` (default), ``heldout`` between them, or ``train``, apart from both
            (:mod:`eval.plan.placements`). Not the published ones are other episodes, with other ids.
        count: initial states of ``heldout`` or ``train`` a variant; as many as are published if not given. A larger count has
            those of a smaller one.
        seed: first seed of the seeded random scenes (``prepackaged``: episode i is what the original's
            ``reset(seed=seed + i)`` gives), number of the first state of ``heldout`` or ``train``, and seed of
            ``sample``. Default 0. Published grids have no use for it.
        limit: at most N episodes per task, spread evenly over variants and placements: a limit of 3 sees all
            three orientations of the can, and a smaller limit takes a part of what a larger one takes. Seeded random
            scenes: exactly N.
        sample: this share of each task's episodes (more than 0, at most 1), evenly over the grid, sampled by ``seed``.
        max_steps: step limit instead of the task's own.

    Raises:
        UserError: unknown suite, task, setting or variant, a number out of range, or an option that has no effect.
    """
    others = {
        "setting": setting, "placements": placements, "count": count,
        "seed": seed, "limit": limit, "sample": sample, "max_steps": max_steps,
    }  # fmt: skip
    return built(choose_episodes(plan_options(suite, tasks, variants, others)))


def choose_episodes(options: PlanOptions) -> list[PlannedEpisode]:
    """What :func:`make_plan` builds: all episodes that the options choose, whatever the shard. Raises UserError as it does."""
    if options.tasks:
        parts = _parts_of_tasks(options)
    else:
        parts = tuple(part for name in options.suites or (DEFAULT_SUITE,) for part in _parts_of_suite(name))
    _refuse_idle_seed(parts, options)
    _refuse_idle_count(options)
    by_task: dict[str, dict[object, PlannedEpisode]] = {}
    for part in parts:
        by_task.setdefault(part.task, {}).update((episode.key, episode) for episode in _expand(part, options))
    plan: list[PlannedEpisode] = []
    for by_key in by_task.values():
        episodes = list(by_key.values())
        chosen = episodes if options.sample is None else take_sample(episodes, options.sample, options.seed or 0)
        plan += chosen if options.limit is None else spread(chosen, options.limit)
    return plan


def _refuse_idle_seed(parts: Sequence[Part], options: PlanOptions) -> None:
    if options.placements != "published":
        return
    seeded = any(load_task(part.task).settings[part.setting].episodes.seeds is not None for part in parts)
    if options.seed is not None and options.sample is None and not seeded:
        raise UserError(
            f"--seed {options.seed} has no effect: every episode of this plan is fixed by its grid. It chooses among scenes "
            "of --setting prepackaged and what --sample takes; a policy's own seed is --policy-arg seed=N."
        )


def _refuse_idle_count(options: PlanOptions) -> None:
    if options.count is not None and options.placements == "published":
        raise UserError(
            f"--count {options.count} has no effect: the published placements are as many as they are. It counts those of "
            "--placements heldout or train; --limit plays fewer."
        )


def suite_names() -> tuple[str, ...]:
    """Names of all suites, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load_suite(name: str) -> Suite:
    """A suite by name, or from a ``.yaml`` file by path. Raises UserError for an unknown name or an unusable file."""
    if name.endswith(ENDINGS):
        return read_suite(Path(name))
    if name not in suite_names():
        refuse_unmeant(name, "--suite", "--task", task_names)
        raise UserError(f'No suite "{name}".{did_you_mean(name, suite_names())}')
    return read_suite(FOLDER / f"{name}.yaml")


def read_suite(path: Path) -> Suite:
    """A suite from a file; its tasks and settings are checked. A task may be a file, named relative to the suite's.

    The suites that come with the package mean the tasks that come with it, whatever the user's are called.
    """
    content = read_mapping(path)
    if "parts" not in content and content.keys() & {"family", "extends"}:
        raise UserError(f"{path}: is a task, no suite; give it with --task.")
    suite = parse(Suite, content, str(path))
    parts = []
    for number, part in enumerate(suite.parts):
        place = f"{path}: parts.{number}"
        name = part.task if path.parent == FOLDER else _named(part, path, place)
        task_file(name, f"{place}.task: no task")
        require_setting(name, part.setting, f"{place}.setting: no setting")
        parts.append(part.model_copy(update={"task": name}))
        if parts[-1] in parts[:-1]:
            raise UserError(f"{place}: says the same as parts.{parts.index(parts[-1])}; leave one of them out.")
    return suite.model_copy(update={"parts": tuple(parts)})


def _named(part: Part, path: Path, place: str) -> str:
    """Name of the task of a part of the user's suite."""
    if is_environment(part.task) and part.task not in task_names():
        raise UserError(f"{place}.task: {part.task} is an environment id; name the task: {task_of_env(part.task)}.")
    try:
        return task_name(part.task, path.parent)
    except UserError as error:
        raise UserError(f"{place}.task: {error}") from None


def _parts_of_suite(name: str) -> tuple[Part, ...]:
    """Raises UserError, which names the file and the place, for a pattern that matches no variant, too."""
    parts = load_suite(name).parts
    for number, part in enumerate(parts if name.endswith(ENDINGS) else ()):
        try:
            matching_variants(part.task, part.setting, part.variants)
        except UserError as error:
            raise UserError(f"{name}: parts.{number}.variants: {error}") from None
    return parts


def _parts_of_tasks(options: PlanOptions) -> tuple[Part, ...]:
    setting = options.setting or DEFAULT_SETTING
    parts = []
    for text in dict.fromkeys(options.tasks):
        if is_environment(text) and text not in task_names():
            parts.append(environment_part(text, setting))
            continue
        task = task_name(text)
        if task not in task_names():
            refuse_unmeant(text, "--task", "--suite", suite_names)
            refuse_misspelt(task)
        require_setting(task, setting, f"{task} has no setting")
        parts.append(Part(task=task, setting=setting))
    return tuple(_narrowed(parts, options.variants) if options.variants else parts)


def _narrowed(parts: Sequence[Part], patterns: Sequence[str]) -> list[Part]:
    """Each part with those of its variants that match one of the patterns; tasks name their variants differently.

    Raises UserError for a pattern that matches in no part (a misspelt one among others would quietly shrink the plan), and
    for a part in which none matches.
    """
    names = [[variant.name for variant in matching_variants(part.task, part.setting, part.variants)] for part in parts]
    among = " or ".join(dict.fromkeys(part.task for part in parts))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for of_part in names for name in of_part):
            known = [name for of_part in names for name in of_part]
            raise UserError(f"No variant of {among} matches {pattern!r}.{did_you_mean(pattern, known)}")
    narrowed = []
    for part, of_part in zip(parts, names, strict=True):
        matching = [name for name in of_part if any(fnmatchcase(name, pattern) for pattern in patterns)]
        if not matching:
            given = " or ".join(map(repr, patterns))
            raise UserError(
                f"No variant of {part.task} matches {given}. Give one more --variant for it; known: {', '.join(of_part)}."
            )
        narrowed.append(part.model_copy(update={"variants": tuple(matching)}))
    return narrowed


def _expand(part: Part, options: PlanOptions) -> list[PlannedEpisode]:
    """All episodes of a part, variant by variant."""
    episodes = load_task(part.task).settings[part.setting].episodes
    if episodes.seeds is not None:
        limit = options.limit if options.sample is None else None
        episodes = Episodes(seeds=limit or part.limit or episodes.seeds)
    variants = matching_variants(part.task, part.setting, part.variants)
    if options.max_steps is not None:
        variants = [_with_step_limit(variant, options.max_steps) for variant in variants]
    if options.placements == "published":
        planned = planned_episodes(part.task, part.setting, variants, episodes, options.seed or 0)
    else:
        count = options.count or episodes.count
        planned = placed_episodes(part.task, part.setting, variants, options.placements, count, options.seed or 0)
    return planned if part.limit is None else spread(planned, part.limit)


def _with_step_limit(variant: Variant, max_steps: int) -> Variant:
    return variant._replace(setup=variant.setup.model_copy(update={"max_steps": max_steps}))
