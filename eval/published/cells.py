"""The cells of published tables as plans: which episodes each one is made of."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.plan.sampling import spread
from eval.plan.suites import make_plan
from eval.published.numbers import published_numbers
from eval.records.aggregation import counts, full_size
from eval.records.cells import Source, cells
from eval.tasks.loading import load_task, task_names

DEFAULT_SETTING = "visual_matching"


def cell_names() -> list[str]:
    """Cells, then the sub-cells that have a name of their own."""
    return list(dict.fromkeys([*cells().cells, *cells().sub_cells]))


def published_settings(cell: str) -> list[str]:
    """Settings for which anybody published this cell and which our tasks have."""
    return [s for s in ("visual_matching", "variant_aggregation") if published_numbers(cell, s, secondary=True)]


def cell_plan(
    cell: str,
    setting: str = DEFAULT_SETTING,
    *,
    sample: float | None = None,
    max_steps: int | None = None,
) -> list[EpisodeSpec]:
    """Exactly the episodes of a published cell: all variants that count in its average, no others.

    ``sample`` takes a share of it, evenly over the variants, and ``max_steps`` another step limit; both make it another
    number than the published one, which its title says.

    Raises UserError for an unknown cell, or a setting in which it was not published.
    """
    if cell not in cell_names():
        raise UserError(f'No published cell "{cell}".{did_you_mean(cell, cell_names())}')
    settings = published_settings(cell)
    if setting not in settings:
        raise UserError(f'{cell} was not published in a setting "{setting}".{did_you_mean(setting, settings)}')
    if sample is not None and not 0 < sample <= 1:
        raise UserError(f"sample is {sample}; it must be more than 0 and at most 1.")
    plan = []
    for name in cells().sub_cells_of(cell):
        part = _episodes(cells().sub_cells[name].sources, setting, max_steps)
        plan += part if sample is None else spread(part, max(1, round(sample * len(part))))
    return plan


def _episodes(sources: Sequence[Source], setting: str, max_steps: int | None) -> list[EpisodeSpec]:
    """From the first source whose tasks all have the setting."""
    source = next((source for source in sources if all(_has(task, setting) for task in source.tasks)), sources[0])
    plan = make_plan(tasks=source.tasks, setting=setting, max_steps=max_steps)
    return [s for s in plan if fnmatchcase(s.variant, source.variants) and counts((s.task, s.setting, s.variant))]


def _has(task: str, setting: str) -> bool:
    return task in task_names() and setting in load_task(task).settings


def cell_size(cell: str, setting: str) -> int | None:
    """Episodes of a published cell; None while our tasks lack some of it."""
    sizes = []
    for name in cells().sub_cells_of(cell):
        of_sources = [full_size(source, setting) for source in cells().sub_cells[name].sources]
        sizes.append(next((size for size in of_sources if size is not None), None))
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
