"""An evaluation as a tracker sees it: rates so far after every episode, at the end the table and some videos.

A tracker may be slow, out of reach or broken: it is spoken to in a thread of its own, its first failure is said in one line,
and the run goes on without it.
"""

from __future__ import annotations

import queue
import threading
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
from eval.sinks.base import Sink, SinkError, Subject, open_sink

WAITING = 1000
"""Reports that may wait for a slow tracker; of more, those in between are left out."""
END_SECONDS = 120.0
"""That a tracker has for its last reports."""
VIDEOS = 2
"""Of each outcome that are shown."""

Started = Callable[[Path, list[EpisodeRecord]], None]
Work = Callable[[Sink], None]


class EvaluationReport:
    """Reports a run to a tracker. A context manager; to be told of the run's beginning and of every episode.

    Args:
        name: of the tracker.
        say: prints a line.
    """

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self._name, self._say = name, say
        self._work: queue.Queue[Work | None] = queue.Queue(WAITING)
        self._folder: Path | None = None
        self._records: dict[RecordKey, EpisodeRecord] = {}
        self._thread = threading.Thread(target=self._report, name=f"report to {name}", daemon=True)
        self._problem: str | None = None

    def begun(self, path: Path, before: Sequence[EpisodeRecord]) -> None:
        """The run has a folder, and these results."""
        self._folder = path.absolute()
        self._records = {record.key: record for record in before}
        run = load_run(self._folder)
        self._judge = JUDGES[run.header.options.success]
        self._subject = subject_of(run)
        self._thread.start()

    def episode(self, record: EpisodeRecord) -> None:
        """One more is done."""
        self._records[record.key] = record
        metrics, step = self._metrics(), len(self._records)
        if self._problem is None and not self._work.full():
            self._work.put(lambda sink: sink.log(metrics, step))

    def __enter__(self) -> EvaluationReport:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if self._folder is None or not self._thread.is_alive():
            return
        try:
            run: RunData | None = load_run(self._folder)
        except UserError:
            run = None
        metrics, step = self._metrics(), len(self._records)
        for work in (lambda sink: sink.log(metrics, step), *([] if run is None else [_last_words(run)]), None):
            try:
                self._work.put(work, timeout=END_SECONDS)
            except queue.Full:
                break
        self._thread.join(END_SECONDS)
        if self._thread.is_alive():
            late = f"{self._name} has not taken in all after {END_SECONDS:g} s"
            self._say(f"simpler-eval: {late}; what is missing there is in {self._folder}")

    def _metrics(self) -> dict[str, float]:
        judged: Counter[str] = Counter()
        good: Counter[str] = Counter()
        for record in self._records.values():
            if record.status != "errored":
                judged[record.task] += 1
                good[record.task] += self._judge(record)
        rates = {f"success_rate/{task}": good[task] / count for task, count in judged.items()}
        if judged:
            rates["success_rate"] = good.total() / judged.total()
        errored = sum(record.status == "errored" for record in self._records.values())
        return {**rates, "episodes": len(self._records), "errored": errored}

    def _report(self) -> None:
        """The thread: opens the tracker, passes on what comes, and after a failure only empties the queue."""
        try:
            sink = open_sink(self._name, self._subject)
            while (work := self._work.get()) is not None:
                work(sink)
            sink.finish()
        except Exception as error:  # of a package or a network
            text = str(error) if isinstance(error, SinkError) else f"{type(error).__name__}: {error}"
            self._problem = " ".join(text.split())[:300]
            self._say(f"simpler-eval: nothing more is reported to {self._name} ({self._problem}); the run goes on")


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
