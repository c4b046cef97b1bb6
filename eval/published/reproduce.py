"""A published cell once more: its own settings, our number, and beside it what was published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.plan.sampling import spread
from eval.plan.suites import make_plan
from eval.published import Source, cells
from eval.published.numbers import (
    Disagreement,
    Published,
    known_disagreements,
    policy_models,
    published_numbers,
    references,
)
from eval.records.aggregation import Row, aggregate, counts, full_size
from eval.records.folder import RunData
from eval.records.titles import title
from eval.tasks.loading import load_task, task_names

if TYPE_CHECKING:
    from policies.base import Policy

DEFAULT_SETTING = "visual_matching"


@dataclass(frozen=True)
class Reproduction:
    """Our number of a cell beside the published ones."""

    cell: str
    setting: str
    policy: str
    title: str
    """What must be said of our number."""
    ours: Row
    published: tuple[Published, ...]
    disagreements: tuple[Disagreement, ...]
    of_this_policy: bool
    """Whether the published numbers are this policy's; else they are everybody's."""


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


def compare_with_published(
    data: RunData, cell: str, setting: str, partial: bool = False, secondary: bool = False
) -> Reproduction:
    """Our number of a cell in a finished run beside the published ones."""
    rows = [row for row in aggregate(data.plan, data.records, partial) if (row.name, row.setting) == (cell, setting)]
    if not rows:
        raise UserError(f"{data.path} holds no episodes of {cell} in {setting}.")
    policy = str(data.header.get("identity", {}).get("policy", "?"))
    own = policy_models().get(policy)
    numbers = published_numbers(cell, setting, own, secondary)
    if not numbers:
        own, numbers = None, published_numbers(cell, setting, None, secondary)
    return Reproduction(
        cell, setting, policy, title(data.header, data.plan), rows[0], tuple(numbers),
        tuple(known_disagreements(cell, setting, numbers)), own is not None,
    )  # fmt: skip


def reproduce(
    policy: str | Policy,
    cell: str,
    setting: str = DEFAULT_SETTING,
    *,
    sample: float | None = None,
    max_steps: int | None = None,
    **options: Any,
) -> Reproduction:
    """Play a published cell with a policy and set the number beside the published ones; ``options`` as of ``eval.run``."""
    from eval.rollout.run import run

    plan = cell_plan(cell, setting, sample=sample, max_steps=max_steps)
    return compare_with_published(run(plan, policy, **options), cell, setting, bool(options.get("partial")))


def remarks(number: Published, episodes: int | None) -> str:
    """What to know about a published number besides its source."""
    said = [number.note] if number.note else []
    if number.episodes:
        said.append(f"episodes: {number.episodes}")
    elif episodes and not number.secondary and not number.fits(episodes):
        said.append(f"no whole number of {episodes} episodes gives it")
    return "; ".join(said)


def source_line(source: str) -> str:
    """Where a number was read, and how far to trust it."""
    found = references()[source]
    parts = [found.where, found.trust, found.note, f"read through {found.read_through}" if found.read_through else ""]
    return f"{source}: {found.what}. " + "; ".join(part for part in parts if part)


def disagreement_line(entry: Disagreement) -> str:
    """What is disputed, the values, and how to read them."""
    values = "; ".join(f"{name}: {value}" for name, value in entry.values.items())
    return ". ".join(part.rstrip(".") for part in (entry.what, values, entry.read) if part) + "."


def cell_size(cell: str, setting: str) -> int | None:
    """Episodes of a published cell; None while our tasks lack some of it."""
    sizes = []
    for name in cells().sub_cells_of(cell):
        found = [full_size(source, setting) for source in cells().sub_cells[name].sources]
        sizes.append(next((size for size in found if size is not None), None))
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
