"""What a page is about: runs that belong together as one entry, and how an episode of it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.folder import RunData
from eval.records.labels import labels
from eval.records.merging import judged, merge_groups
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.tables import RunTables, tables_of
from eval.records.tallies import JUDGES
from eval.records.turns import turns_of

Outcome = Literal["success", "failure", "errored", "missing"]
"""Of a planned episode: by the run's rule of success; without a verdict; not played (yet)."""


@dataclass(frozen=True)
class Played:
    """A planned episode, and what became of it."""

    spec: EpisodeSpec
    repeat: int
    record: EpisodeRecord | None
    outcome: Outcome

    @property
    def key(self) -> RecordKey:
        """What a run has at most one result of."""
        return RecordKey(self.spec.id, self.repeat)

    @property
    def place(self) -> tuple[str, str]:
        """Task and setting."""
        return self.spec.task, self.spec.setting


@dataclass(frozen=True)
class Entry:
    """A row of the table: one run, or runs that are counted as one."""

    label: str
    run: RunData
    """All of them as one."""
    parts: tuple[RunData, ...]
    """The runs themselves: their folders hold the videos."""
    notes: tuple[str, ...] = ()
    """Such as that two folders hold the same episodes."""
    partial: bool = False
    """Whether totals have a rate although episodes are missing or errored."""

    @property
    def remarks(self) -> str:
        """Of the policy on itself, such as that its weights are random."""
        return " ".join(", ".join(self.run.header.policy.remarks).split())

    @cached_property
    def tables(self) -> RunTables:
        """Its tables, as ``report`` prints them."""
        return tables_of(self.run, self.partial)

    @cached_property
    def episodes(self) -> tuple[Played, ...]:
        """Every planned episode, repeat after repeat, in the order of the plan."""
        judge = JUDGES[self.run.header.options.success]
        played = []
        for spec, repeat in turns_of(self.run.plan, self.run.header.repeats):
            record = self.run.records.get(RecordKey(spec.id, repeat))
            outcome: Outcome
            if record is None:
                outcome = "missing"
            elif record.status == "errored":
                outcome = "errored"
            else:
                outcome = "success" if judge(record) else "failure"
            played.append(Played(spec, repeat, record, outcome))
        return tuple(played)

    def by_place(self) -> Iterator[tuple[tuple[str, str], list[Played]]]:
        """(task, setting) and its episodes, in the order of the plan."""
        places: dict[tuple[str, str], list[Played]] = {}
        for episode in self.episodes:
            places.setdefault(episode.place, []).append(episode)
        yield from places.items()


def entries_of(runs: Sequence[RunData], partial: bool = False, success: str | None = None) -> tuple[Entry, ...]:
    """Runs as the rows of one table, those that belong together as one. Raises UserError as :func:`merge_runs`."""
    rows = merge_groups([judged(run, success) for run in runs], partial)
    if not any(row.data.plan for _, row in rows):
        raise UserError("The run has no episodes; there is nothing to report.")
    names = labels([row.data for _, row in rows])
    return tuple(
        Entry(name, row.data, tuple(group), row.notes, partial) for name, (group, row) in zip(names, rows, strict=True)
    )
