"""Why episodes of a run have no verdict: errors that differ only in numbers are one, counted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eval.records.results import EpisodeRecord

SHOWN = 5
"""Distinct errors that are listed; of the rest only the number is said."""
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|[-+]?\d+(\.\d+)?([eE][-+]?\d+)?|\b(nan|inf)\b")


@dataclass(frozen=True)
class ErrorCount:
    """An error, and how many episodes it cost."""

    error: str
    """As it was recorded first."""
    count: int


def kind_of(text: str) -> str:
    """An error without its numbers: two with the same kind are one error."""
    return _NUMBER.sub("#", text)


def error_counts(records: Iterable[EpisodeRecord]) -> list[ErrorCount]:
    """The distinct errors of all episodes without a verdict, the most frequent first."""
    found: dict[str, list[str]] = {}
    for record in records:
        if record.status == "errored":
            text = record.error or "no reason was recorded"
            found.setdefault(kind_of(text), []).append(text)
    return sorted((ErrorCount(texts[0], len(texts)) for texts in found.values()), key=lambda entry: -entry.count)


def error_lines(errors: Sequence[ErrorCount]) -> list[str]:
    """A line ``12 x <error>`` for each; of very many, for the most frequent."""
    lines = [f"{entry.count} x {' '.join(entry.error.split())}" for entry in errors[:SHOWN]]
    rest = errors[SHOWN:]
    return lines + ([f"{sum(entry.count for entry in rest)} x {len(rest)} other errors"] if rest else [])
