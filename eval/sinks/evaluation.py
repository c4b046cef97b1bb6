"""An evaluation as a tracker sees it: rates so far after every episode, at the end the table and some videos.

It is spoken to in a thread of its own (:mod:`eval.sinks.thread`); the run goes on without it where that fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from eval.errors import UserError
from eval.records.folder import RunData, load_run
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.tables import shown_rows, tables_of
from eval.records.tallies import JUDGES
from eval.records.titles import title
from eval.sinks.base import Sink, Subject
from eval.sinks.thread import SinkThread, Work

VIDEOS = 2
"""Of each outcome that are shown."""

Started = Callable[[Path, list[EpisodeRecord]], None]


class EvaluationReport:
    """Reports a run to a tracker. A context manager; to be told of the run's beginning and of every episode.

    Args:
        name: of the tracker.
        say: prints a line.
    """

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self._name, self._say = name, say
        self._folder: Path | None = None
        self._records: dict[RecordKey, EpisodeRecord] = {}
        self._judged: Counter[str] = Counter()
        """Task -> its episodes with a verdict; counted as they come, as all of them would be many after every one."""
        self._good: Counter[str] = Counter()
        self._tracker: SinkThread | None = None

    def begun(self, path: Path, before: Sequence[EpisodeRecord]) -> None:
        """The run has a folder, and these results."""
        self._folder = path.absolute()
        run = load_run(self._folder)
        self._judge = JUDGES[run.header.options.success]
        for record in before:
            self._take(record)
        self._tracker = SinkThread(self._name, subject_of(run), self._say, "run")

    def episode(self, record: EpisodeRecord) -> None:
        """One more is done."""
        self._take(record)
        metrics, step = self._metrics(), len(self._records)
        if self._tracker is not None:
            self._tracker.put(lambda sink: sink.log(metrics, step))

    def __enter__(self) -> EvaluationReport:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if self._folder is None or self._tracker is None:
            return
        try:
            run: RunData | None = load_run(self._folder)
        except UserError:
            run = None
        metrics, step = self._metrics(), len(self._records)
        self._tracker.finish(lambda sink: sink.log(metrics, step), *([] if run is None else [_last_words(run)]))

    def _take(self, record: EpisodeRecord) -> None:
        """Count a result; it may replace one without a verdict, of the same episode."""
        before = self._records.get(record.key)
        self._records[record.key] = record
        for one, step in ((before, -1), (record, 1)):
            if one is not None and one.status != "errored":
                self._judged[one.task] += step
                self._good[one.task] += step * self._judge(one)

    def _metrics(self) -> dict[str, float]:
        judged = self._judged.total()
        rates = {f"success_rate/{task}": self._good[task] / count for task, count in self._judged.items() if count}
        if judged:
            rates["success_rate"] = self._good.total() / judged
        return {**rates, "episodes": len(self._records), "errored": len(self._records) - judged}


def subject_of(run: RunData) -> Subject:
    """A run as trackers know it: its header is the configuration."""
    header = run.header
    parts = {"identity", "policy", "options", "plan_hash", "episodes", "repeats", "shard"}
    config = {"title": title(header, run.plan), **header.model_dump(mode="json", include=parts)}
    return Subject(run.path, run.path.name, config)


def _last_words(run: RunData) -> Work:
    def say(sink: Sink) -> None:
        tables = tables_of(run, run.header.options.partial)
        sink.table("summary", *shown_rows(tables.summary))
        shown: Counter[str] = Counter()
        for record in run.records.values():
            path = None if record.video is None else run.path / record.video
            if path is not None and shown[record.status] < VIDEOS and path.is_file():
                shown[record.status] += 1
                sink.video(f"videos/{record.status}_{shown[record.status]}", path)

    return say
