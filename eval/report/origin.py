"""What a page says of where its numbers come from, and how to cite them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.records.citation import Citation, citation
from eval.records.errors import ErrorCount, error_counts
from eval.records.header import SessionRecord
from eval.records.titles import remarks_on, title
from eval.report.entries import Entry

PAPER = "Li et al., Evaluating Real-World Robot Manipulation Policies in Simulation, CoRL 2024 (arXiv:2405.05941)"
"""The benchmark that is evaluated on."""
CLEAN = ("original assets",)
"""Remarks of a title that are no departure from the protocol."""


@dataclass(frozen=True)
class Origin:
    """Of an entry."""

    label: str
    title: str
    """What every table of it is headed with."""
    departures: tuple[str, ...]
    folders: tuple[str, ...]
    plan_hash: str
    policy: tuple[tuple[str, str], ...]
    """What the policy says of itself."""
    sessions: tuple[SessionRecord, ...]
    errors: tuple[ErrorCount, ...]
    """Of episodes without a verdict, the most frequent first."""
    unfilmed: int
    """Episodes without the video that was asked for."""
    notes: tuple[str, ...]


def origin(entry: Entry) -> Origin:
    """Where the numbers of an entry come from, and what to beware of."""
    run = entry.run
    identity = run.header.identity.policy.model_dump(mode="json", exclude_none=True)
    policy = tuple((name.replace("_", " "), str(value)) for name, value in identity.items() if value not in ({}, [], ""))
    records = run.records.values()
    return Origin(
        entry.label,
        title(run.header, run.plan),
        tuple(text for text in remarks_on(run.header, run.plan) if text not in CLEAN),
        tuple(str(part.path) for part in entry.parts),
        run.header.plan_hash,
        policy,
        run.header.sessions,
        tuple(error_counts(records)),
        sum(record.video_error is not None for record in records),
        entry.notes,
    )


def citations(entries: Sequence[Entry]) -> tuple[Citation, ...]:
    """How to cite what made the numbers of the page: of every version that did, once."""
    sessions = [session for entry in entries for session in entry.run.header.sessions]
    return tuple(dict.fromkeys(citation(session) for session in sessions)) or (citation(),)
