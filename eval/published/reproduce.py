"""A published cell once more: its own settings, our number, and beside it what was published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from eval.errors import UserError
from eval.published.cells import DEFAULT_SETTING, cell_plan
from eval.published.models import Disagreement, Published
from eval.published.numbers import known_disagreements, policy_models, published_numbers, references
from eval.records.aggregation import Row, aggregate
from eval.records.folder import RunData
from eval.records.tallies import JUDGES
from eval.records.titles import title
from eval.rollout.run import RunArguments, run

if TYPE_CHECKING:
    from policies.base import Policy


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


def compare_with_published(
    data: RunData, cell: str, setting: str, partial: bool = False, secondary: bool = False
) -> Reproduction:
    """Our number of a cell in a finished run beside the published ones.

    Raises UserError for a run that has nothing of the cell, other initial states than the published ones, or observations that
    an audit changed.
    """
    header = data.header
    identity = header.identity
    if not identity.benchmark:
        how = f"on {identity.placements} placements" if identity.placements != "published" else "for an audit"
        raise UserError(f"{data.path} was played {how}; no published number stands beside it.")
    judge = JUDGES[header.options.success]
    numbers_of_run = aggregate(data.plan, data.records, partial, judge=judge, repeats=header.repeats)
    rows = [row for row in numbers_of_run if (row.name, row.setting) == (cell, setting)]
    if not rows:
        raise UserError(f"{data.path} holds no episodes of {cell} in {setting}.")
    policy = header.options.policy
    own = policy_models().get(policy)
    numbers = published_numbers(cell, setting, own, secondary)
    if not numbers:
        own, numbers = None, published_numbers(cell, setting, None, secondary)
    return Reproduction(
        cell, setting, policy, title(header, data.plan), rows[0], tuple(numbers),
        tuple(known_disagreements(cell, setting, numbers)), own is not None,
    )  # fmt: skip


def reproduce(
    policy: str | Policy,
    cell: str,
    setting: str = DEFAULT_SETTING,
    *,
    sample: float | None = None,
    max_steps: int | None = None,
    **options: Unpack[RunArguments],
) -> Reproduction:
    """Play a published cell with a policy and set the number beside the published ones.

    Args:
        policy: a name, or an object, as of ``eval.run``.
        cell: a column of published tables.
        setting: one in which it was published.
        sample: play only this share of it, more than 0 and at most 1.
        max_steps: step limit instead of the tasks' own.
        options: keywords of ``eval.run``.

    Returns:
        Our number and the published ones.

    Raises:
        UserError: there is no such cell, or the run cannot be made.
    """
    plan = cell_plan(cell, setting, sample=sample, max_steps=max_steps)
    return compare_with_published(run(plan, policy, **options), cell, setting, bool(options.get("partial")))


def remarks(number: Published, episodes: int | None) -> str:
    """What to know about a published number besides its source."""
    texts = [number.note] if number.note else []
    if number.episodes:
        texts.append(f"episodes: {number.episodes}")
    elif episodes and not number.secondary and not number.fits(episodes):
        texts.append(f"no whole number of {episodes} episodes gives it")
    return "; ".join(texts)


def source_line(source: str) -> str:
    """Where a number was read, and how far to trust it."""
    reference = references()[source]
    through = f"read through {reference.read_through}" if reference.read_through else ""
    parts = [reference.where, reference.trust, reference.note, through]
    return f"{source}: {reference.what}. " + "; ".join(part for part in parts if part)
