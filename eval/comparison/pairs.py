"""The episodes that two runs have in common, and what stands in none of the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.nouns import counted
from eval.records.aggregation import counts
from eval.records.cells import cells
from eval.records.folder import RunData
from eval.records.identity import require_comparable
from eval.records.latex import SETTING_TITLES
from eval.records.results import EpisodeRecord


@dataclass(frozen=True)
class Pair:
    """One episode (or one repeat of it) to which both policies were put, with both verdicts."""

    spec: EpisodeSpec
    repeat: int
    reference: EpisodeRecord
    other: EpisodeRecord


@dataclass(frozen=True)
class LeftOut:
    """Episodes, repeats counted each, that are in none of the numbers, and why."""

    errored: int
    """In one of the runs at least."""
    missing: int
    """Not played (yet) in one of them."""
    foreign: int
    """Planned in one of them alone."""

    @property
    def text(self) -> str:
        """In words; empty if nothing is left out."""
        named = (
            (self.errored, "errored in one of them"), (self.missing, "not played in one of them"),
            (self.foreign, "planned in one of them alone"),
        )  # fmt: skip
        return ", ".join(f"{count} {why}" for count, why in named if count)


@dataclass(frozen=True)
class Pairs:
    """What two runs have in common."""

    pairs: tuple[Pair, ...]
    left_out: LeftOut


def pair_runs(reference: RunData, other: RunData, common: bool = False) -> Pairs:
    """The episodes of both runs, in the order of the reference's plan.

    Args:
        reference: one run.
        other: another one, of the same world.
        common: take what the plans share; else they must hold the same episodes.

    Raises:
        UserError: the runs were made in different worlds or with different files, or their plans are not the same (without
            ``common``), or no episode has a verdict in both.
    """
    require_comparable(reference, other)
    ours, theirs = ({spec.id for spec in run.plan} for run in (reference, other))
    shared = ours & theirs
    if not shared:
        raise UserError(
            f"{reference.path} ({counted(len(ours), 'episode')}) and {other.path} ({len(theirs)}) have no episode in common; "
            "play both with the same options."
        )
    if ours != theirs and not common:
        raise UserError(
            f"{reference.path} and {other.path} have different plans: {len(ours)} and "
            f"{counted(len(theirs), 'episode')}, {len(shared)} in "
            f"common; {_advice(reference, other)}, or compare what is in common with --common."
        )
    repeats = (reference.header.repeats, other.header.repeats)
    both = min(repeats)
    foreign = len(ours - theirs) * repeats[0] + len(theirs - ours) * repeats[1] + len(shared) * (max(repeats) - both)
    pairs: list[Pair] = []
    lacking: Counter[str] = Counter()
    for spec in reference.plan:
        for repeat in range(both) if spec.id in shared else ():
            a, b = (run.record(spec.id, repeat) for run in (reference, other))
            if a is None or b is None:
                lacking["missing"] += 1
            elif "errored" in (a.status, b.status):
                lacking["errored"] += 1
            else:
                pairs.append(Pair(spec, repeat, a, b))
    if not pairs:
        raise UserError(
            f"No episode has a verdict in both {reference.path} and {other.path} ({lacking['errored']} errored, "
            f"{lacking['missing']} not played); continue the runs first."
        )
    return Pairs(tuple(pairs), LeftOut(lacking["errored"], lacking["missing"], foreign))


def _advice(reference: RunData, other: RunData) -> str:
    """What to do about plans that are not the same."""
    parts = [run for run in (reference, other) if run.header.shard is not None]
    if not parts:
        return "play both with the same options"
    said = " and ".join(f"{run.path} is shard {run.header.shard.shard}" for run in parts if run.header.shard)
    return f"{said}: name the other shards, too, with commas"


def cell_names(specs: Sequence[EpisodeSpec]) -> Mapping[str, str]:
    """Episode id -> what its cell is called: that of the published tables, else its task; with the setting where several are.

    Variants that do not count in published averages (other cameras) are cells of their own.
    """
    several = len({spec.setting for spec in specs}) > 1
    names = {}
    for spec in specs:
        title = _title(spec)
        setting = SETTING_TITLES.get(spec.setting, spec.setting)
        names[spec.id] = f"{title}, {setting}" if several else title
    return names


def _title(spec: EpisodeSpec) -> str:
    if not counts((spec.task, spec.setting, spec.variant)):
        return f"{spec.task}, not in the published average"
    if spec.setting in cells().settings:
        for part in cells().sub_cells.values():
            for source in part.sources:
                if spec.task in source.tasks and fnmatchcase(spec.variant, source.variants):
                    return part.title
    return spec.task
