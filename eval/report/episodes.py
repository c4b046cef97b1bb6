"""The list of episodes as data for the page's script: one line an episode, words that repeat by their numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from eval.records.errors import kind_of
from eval.records.results import EpisodeRecord, RecordKey
from eval.report.entries import Entry, Outcome, Played
from eval.report.media import Media
from eval.report.progress import TITLES, UNITS, kind_of_failure

OUTCOMES: tuple[Outcome, ...] = ("success", "failure", "errored", "missing")
COLUMNS = (
    "id", "entry", "task", "setting", "variant", "index", "repeat", "outcome", "instruction", "kind", "steps", "limit", "first",
    "seconds", "video", "poster", "place", "error", "stats",
)  # fmt: skip
"""Of a line; what ``WORDS`` names is a number of a word."""
MOST = 80
"""Characters of an error among the kinds of ends."""
WORDS = ("entry", "task", "setting", "variant", "outcome", "instruction", "kind")


@dataclass
class EpisodeList:
    """The lines, and the words that they name."""

    rows: list[list[Any]] = field(default_factory=list)
    words: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in WORDS})

    def __post_init__(self) -> None:
        for outcome in OUTCOMES:
            self._word("outcome", outcome)

    def _word(self, column: str, text: str) -> int:
        known = self.words[column]
        return known.setdefault(text, len(known))

    def add(self, entry: Entry, places: Mapping[RecordKey, int], media: Media) -> None:
        """The episodes of an entry."""
        for episode in entry.episodes:
            self.rows.append(self._row(entry, episode, places.get(episode.key), media))

    def _row(self, entry: Entry, episode: Played, place: int | None, media: Media) -> list[Any]:
        spec, record = episode.spec, episode.record
        texts = {
            "entry": entry.label, "task": spec.task, "setting": spec.setting, "variant": spec.variant,
            "outcome": episode.outcome, "instruction": spec.instruction, "kind": "",
        }  # fmt: skip
        cells: dict[str, Any] = {
            "id": episode.key.name, "index": spec.index, "repeat": episode.repeat, "limit": spec.max_steps, "place": place,
            "stats": {},
        }  # fmt: skip
        if record is not None:
            home = entry.run.home_of(record)
            texts["instruction"] = record.instruction or spec.instruction
            texts["kind"] = _how_it_ended(episode, record)
            cells |= {
                "steps": record.steps, "first": record.first_success_step, "seconds": _finite(round(record.seconds, 1)),
                "video": media.link(home, record.video), "poster": media.link(home, record.poster),
                "error": record.error or record.video_error,
                "stats": {name: _finite(value) for name, value in record.episode_stats.items()},
            }  # fmt: skip
        cells |= {column: self._word(column, text) for column, text in texts.items()}
        return [cells.get(column) for column in COLUMNS]

    def as_data(self) -> dict[str, Any]:
        """For :func:`embedded`."""
        return {
            "columns": COLUMNS, "words": {name: list(words) for name, words in self.words.items()}, "rows": self.rows,
            "statistics": {name: (title, UNITS.get(name, "")) for name, (title, _) in TITLES.items()},
        }  # fmt: skip


def _how_it_ended(episode: Played, record: EpisodeRecord) -> str:
    if episode.outcome == "failure":
        return kind_of_failure(episode, record)
    return kind_of(record.error or "no reason was recorded")[:MOST] if episode.outcome == "errored" else ""


def _finite(value: object) -> object:
    """JSON has no number that is not finite."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def newest(entries: Sequence[Entry], media: Media, most: int) -> list[tuple[str, str | None, Played]]:
    """(Video, poster, episode) of the filmed episodes that ended last, the newest first."""
    found: list[tuple[str, str | None, Played]] = []
    for entry in entries:
        by_key = {episode.key: episode for episode in entry.episodes}
        for key in reversed(entry.run.records):
            record = entry.run.records[key]
            if len(found) < most and key in by_key and (video := media.link(entry.run.home_of(record), record.video)):
                found.append((video, media.link(entry.run.home_of(record), record.poster), by_key[key]))
    return found


def embedded(data: object) -> Markup:
    """Data as JSON that may stand in a ``<script>`` of an HTML page, whatever its texts hold.

    ASCII alone, so that no line separator and no half of a surrogate pair is left, and without ``<``, ``>`` and ``&``, so that
    no text ends the element.
    """
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False, default=str)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
