"""Several policies against a reference: the one test that decides, the cells, and the episodes that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from eval.comparison.counts import Paired
from eval.comparison.pairs import LeftOut, Pair, cell_names, pair_runs
from eval.errors import UserError
from eval.records.escaping import printable
from eval.records.folder import RunData
from eval.records.labels import labels
from eval.records.results import EpisodeRecord
from eval.records.tallies import JUDGES, SuccessRule
from eval.records.titles import title
from eval.statistics.differences import holm

ALPHA = 0.05
"""Of the test; fixed, so that nobody chooses it after having seen the results."""
ALL = "all"


@dataclass(frozen=True)
class Side:
    """What is known of one run of a comparison; texts are printable."""

    label: str
    title: str
    path: Path
    parts: tuple[Path, ...] = ()
    """Folders of the runs that it is the union of; empty: it is one run."""


@dataclass(frozen=True)
class Played:
    """How an episode ended for one of the two."""

    success: bool
    steps: int
    first_success_step: int | None
    video: Path | None
    """On this machine; None: it was not filmed."""
    poster: Path | None

    @classmethod
    def of(cls, run: RunData, record: EpisodeRecord, success: bool) -> Played:
        """From a record of a run."""
        video, poster = (_inside(run.home_of(record), name) for name in (record.video, record.poster))
        return cls(success, record.steps, record.first_success_step, video, poster)


@dataclass(frozen=True)
class Change:
    """An episode that one of the two alone solved; texts are printable."""

    id: str
    repeat: int
    cell: str
    task: str
    setting: str
    variant: str
    index: int
    instruction: str
    reference: Played
    other: Played


@dataclass(frozen=True)
class Against:
    """One policy against the reference."""

    side: Side
    whole: Paired
    """All episodes: the primary comparison."""
    p: float
    """Of the primary comparison; of several policies by Holm over these."""
    cells: tuple[Paired, ...]
    cell_ps: tuple[float, ...]
    """Of the cells, by Holm over all cells of all policies: secondary."""
    meanings: tuple[tuple[SuccessRule, Paired], ...]
    """The same episodes by each meaning of success."""
    first_steps: tuple[float | None, float | None]
    """Median step at which the flag first came up, over the episodes in which it did: reference, other."""
    changes: tuple[Change, ...]
    left_out: LeftOut

    @property
    def rejected(self) -> bool:
        """Whether the test says that there is a difference."""
        return self.p <= ALPHA


@dataclass(frozen=True)
class Comparison:
    """A reference, and each of the others against it."""

    reference: Side
    others: tuple[Against, ...]
    success: SuccessRule

    @property
    def alpha(self) -> float:
        """Level at which the first of several tests must reject (Holm): what one can count on of each."""
        return ALPHA / len(self.others)

    @property
    def clustered(self) -> bool:
        """Whether an initial state was played more than once, in variants or repeats."""
        return any(other.whole.states < other.whole.n for other in self.others)


def compare_runs(runs: Sequence[RunData], common: bool = False) -> Comparison:
    """Compare runs of the same initial states; the first is the reference.

    Args:
        runs: two or more, counted by the rule of success that their headers name.
        common: compare what the plans share; else they must be the same.

    Raises:
        UserError: there is one run alone, worlds, files or plans differ, runs count success differently, or nothing was
            played by both.
    """
    if len(runs) < 2:
        raise UserError("A comparison needs two runs at least: the reference, then what is compared with it.")
    rules = {run.header.options.success for run in runs}
    if len(rules) > 1:
        raise UserError("Some of the runs count success at the last step, others at any; choose with --success last or any.")
    rule = rules.pop()
    names = [printable(label) for label in labels(runs)]
    sides = [
        Side(name, printable(title(run.header, run.plan)), run.path, tuple(part.path for part in run.parts))
        for name, run in zip(names, runs, strict=True)
    ]
    paired = [pair_runs(runs[0], run, common) for run in runs[1:]]
    cells_of = cell_names([spec for run in runs for spec in run.plan])
    counted = [_by_cell(pairs.pairs, cells_of, rule) for pairs in paired]
    wholes = [Paired.of(ALL, pairs.pairs, JUDGES[rule]) for pairs in paired]
    primary = holm([whole.p for whole in wholes])
    secondary = iter(holm([cell.p for cells in counted for cell in cells]))
    others = []
    for side, run, pairs, whole, p, cells in zip(sides[1:], runs[1:], paired, wholes, primary, counted, strict=True):
        meanings = tuple((name, Paired.of(name, pairs.pairs, judge)) for name, judge in JUDGES.items())
        changes = tuple(_changes(pairs.pairs, runs[0], run, cells_of, rule))
        steps = _median([p.reference for p in pairs.pairs]), _median([p.other for p in pairs.pairs])
        cell_ps = tuple(next(secondary) for _ in cells)
        others.append(Against(side, whole, p, tuple(cells), cell_ps, meanings, steps, changes, pairs.left_out))
    return Comparison(sides[0], tuple(others), rule)


def _by_cell(pairs: Sequence[Pair], cells_of: Mapping[str, str], rule: SuccessRule) -> list[Paired]:
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(cells_of[pair.spec.id], []).append(pair)
    return [Paired.of(printable(name), group, JUDGES[rule]) for name, group in groups.items()]


def _changes(pairs: Sequence[Pair], a: RunData, b: RunData, cells_of: Mapping[str, str], rule: SuccessRule) -> list[Change]:
    changes = []
    for pair in pairs:
        ends = JUDGES[rule](pair.reference), JUDGES[rule](pair.other)
        if ends[0] != ends[1]:
            spec = pair.spec
            changes.append(
                Change(
                    spec.id, pair.repeat, printable(cells_of[spec.id]), printable(spec.task), spec.setting,
                    printable(spec.variant), spec.index, printable(pair.reference.instruction or spec.instruction),
                    Played.of(a, pair.reference, ends[0]), Played.of(b, pair.other, ends[1]),
                )
            )  # fmt: skip
    return changes


def _median(records: Sequence[EpisodeRecord]) -> float | None:
    steps = [record.first_success_step for record in records if record.first_success_step is not None]
    return float(median(steps)) if steps else None


def _inside(run: Path, name: str | None) -> Path | None:
    """A file of a run that a record names; None if there is none, or it is not inside the run's folder."""
    if name is None:
        return None
    path = (run / name).resolve()
    return path if path.is_file() and run.resolve() in path.parents else None
