"""The run folder: ``run.json``, ``plan.jsonl`` and an append-only ``episodes.jsonl``.

One process writes a folder at a time (``flock``), every finished episode is one fsynced line, and a line that a crash
tore in half is dropped and its episode run again. So whatever kills a run, the same command continues it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eval.episode import EpisodeSpec
from eval.errors import EpisodesErrored, UserError
from eval.given import Text, absolute, text_of
from eval.nouns import counted, times
from eval.records import older
from eval.records.differences import another_plan, continued_identity
from eval.records.errors import error_counts, error_lines
from eval.records.header import SCHEMA_VERSION, PolicyChange, RunHeader
from eval.records.reading import check_plan, check_tasks, parse_header, read_plan, read_records, read_run_json
from eval.records.results import EpisodeRecord, RecordKey, by_episode
from eval.records.turns import Turn, turns_of
from eval.tasks.user_tasks import add_user_task, user_tasks, why_unusable
from task_configs.schema.files import is_file, is_folder, is_missing

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("tables", "videos", "actions", "states", "tasks", "replays", "dataset", "report")
"""Subfolders of a run."""
RUN_FILE, PLAN_FILE, EPISODES_FILE, LOCK_FILE = "run.json", "plan.jsonl", "episodes.jsonl", ".lock"
TASKS_FOLDER = "tasks"
"""The user's own task files of a run, if it has any."""


@dataclass(frozen=True)
class RunData:
    """A run as read from disk."""

    path: Path
    header: RunHeader
    plan: tuple[EpisodeSpec, ...]
    records: dict[RecordKey, EpisodeRecord]
    """The last line of a key counts."""
    parts: tuple[RunData, ...] = ()
    """The runs that it is the union of, whose folders hold the files that records name; empty: it is one run."""

    def home_of(self, record: EpisodeRecord) -> Path:
        """The folder in which the files of a record lie."""
        return next((part.path for part in self.parts if part.records.get(record.key) is record), self.path)

    def table(self, partial: bool = False) -> pd.DataFrame:
        """The table of the run (:func:`eval.records.tables.summary`): a row a variant, and a total a task and setting."""
        from eval.records.tables import summary_of  # it stands above this module

        return summary_of(self, partial)

    def success_rates(self, partial: bool = False) -> dict[str, float | None]:
        """Success rate (0..1) of every task, as the totals of the table have it.

        A task that the run plays in several settings is called ``task/setting``. None where the table has no rate: episodes
        are missing or errored and ``partial`` is not given, or nothing counts.
        """
        import pandas as pd

        table = self.table(partial)
        totals = table[table["variant"] == "all"]
        several = set(totals["task"][totals["task"].duplicated()])
        rates: dict[str, float | None] = {}
        for task, setting, rate in zip(totals["task"], totals["setting"], totals["rate"], strict=True):
            rates[f"{task}/{setting}" if task in several else task] = None if pd.isna(rate) else float(rate)
        return rates

    def raise_errors(self) -> None:
        """Raise ``EpisodesErrored`` if an episode has no verdict, with the errors, the most frequent first."""
        errors = error_counts(self.records.values())
        if errors:
            lost = sum(error.count for error in errors)
            said = "; ".join(error_lines(errors))
            raise EpisodesErrored(f"{lost} of {counted(len(self.records), 'episode')} in {self.path} errored: {said}")

    def record(self, episode: str, repeat: int = 0) -> EpisodeRecord | None:
        """The result of an episode, or of one of its repeats; None if it was not played (yet)."""
        return self.records.get(RecordKey(episode, repeat))

    def records_of(self, episode: str) -> tuple[EpisodeRecord, ...]:
        """All results of an episode, in the order of their repeats."""
        return by_episode({key: record for key, record in self.records.items() if key.episode == episode}).get(episode, ())


def plan_hash(plan: Sequence[EpisodeSpec]) -> str:
    """16 hex digits over the ids in order: two plans with the same hash are the same work."""
    return hashlib.blake2b(" ".join(spec.id for spec in plan).encode(), digest_size=8).hexdigest()


def load_run(path: Text) -> RunData:
    """Read a run without locking it (it may still be running).

    Raises ``UserError`` if the folder holds no run or its files are damaged.
    """
    path = Path(absolute(text_of(path, "the folder of a run")))  # callers keep it, wherever the working folder moves
    if not is_folder(path):
        raise UserError(f"{path} is not a folder; give the folder of a run (it holds {RUN_FILE}).")
    if is_missing(path / RUN_FILE):
        raise UserError(f"{path} holds no {RUN_FILE}; give the folder of a run, or one that holds runs.")
    header = _read_header(path / RUN_FILE)
    check_tasks(path / TASKS_FOLDER, header)
    if header.schema_version == SCHEMA_VERSION:
        plan = read_plan(path / PLAN_FILE)
    else:
        know_tasks(path)  # what an older plan does not say stands in the tasks' configs
        plan = older.read_plan(path / PLAN_FILE)
    check_plan(path / PLAN_FILE, plan, header, plan_hash(plan))
    return RunData(path, header, plan, read_records(path / EPISODES_FILE, plan, header).by_key)


def _read_header(path: Path) -> RunHeader:
    content = read_run_json(path)
    return older.read_header(content, path) if older.is_older(content) else parse_header(path, content)


def refuse_folder_of_run(folder: Path, own: Path | None = None) -> None:
    """Raise UserError if what shall be written into a folder would lie among the files of a run, or replace its tables.

    ``own``: the run whose ``tables/`` the folder may be.
    """
    if (folder / RUN_FILE).exists():
        run = folder
    elif folder.resolve().name in PARTS and (folder.resolve().parent / RUN_FILE).exists():
        run = folder.resolve().parent
    else:
        return
    if own is None or folder.resolve() != own.resolve() / "tables":
        raise UserError(f"--out {folder} belongs to the run in {run}, whose own files lie there; choose another folder.")


def refuse_strangers(path: Path) -> None:
    """Raise UserError if a run would be written among files that are none of a run's, or where a file is."""
    if (path / RUN_FILE).exists() or not path.exists():
        return
    with disk_errors(path):
        strangers = sorted(each.name for each in path.iterdir() if not each.name.startswith((".", PLAN_FILE)))
    if strangers:
        raise UserError(f"{path} is not empty and holds no run (but {strangers[0]}); choose another --out.")


def know_tasks(run: Path) -> None:
    """Make the user's tasks that a run keeps known, where no task of their name is."""
    for file in sorted((run / TASKS_FOLDER).glob("*.yaml")):
        if file.stem not in user_tasks() and is_file(file) and not why_unusable(file):  # a stranger there is in nobody's way
            add_user_task(file)


class RunFolder:
    """A run that this process is writing. Use as a context manager; leaving it releases the lock."""

    def __init__(self, path: Path, plan: Sequence[EpisodeSpec], header: RunHeader) -> None:
        """Create the folder, or continue the run in it.

        ``header`` is what ``run.json`` shall hold; its ``identity`` must be that of the run that is continued. Raises
        ``UserError`` if the folder cannot be written, another process writes it, or it holds other things than this run.
        """
        self.path = path
        self.plan = tuple(plan)
        self.records: dict[RecordKey, EpisodeRecord] = {}
        if header.options.policy_changed and not (path / RUN_FILE).exists():
            raise UserError(f"--policy-changed has no effect: {path} holds no run to go on with; leave the option out.")
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._take_lock()
            with disk_errors(path):
                self.header = self._start(header)
                self.records = self._continue()
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
                self._episodes = os.open(path / EPISODES_FILE, flags, 0o644)
        except BaseException:
            os.close(self._lock)
            raise

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"Another process is writing {self.path}; wait for it or stop it. A new run needs another --out."
            ) from error

    def _start(self, header: RunHeader) -> RunHeader:
        run_file = self.path / RUN_FILE
        if run_file.exists():
            before = load_run(self.path)
            _refuse_another_run(self.path, before.header, header)
            header = continued_header(before, header)
        else:
            refuse_strangers(self.path)
            lines = "".join(spec.model_dump_json() + "\n" for spec in self.plan)
            write_atomically(self.path / PLAN_FILE, lines)
        self.write_header(header)
        return header

    def _continue(self) -> dict[RecordKey, EpisodeRecord]:
        file = self.path / EPISODES_FILE
        read = read_records(file, self.plan, self.header)
        if file.exists() and file.stat().st_size > read.whole:
            os.truncate(file, read.whole)
        if not read.ended:  # an editor took the last line break
            with file.open("ab") as end:
                end.write(b"\n")
        return read.by_key

    def write_header(self, header: RunHeader) -> None:
        """Replace ``run.json``, all or nothing."""
        self.header = header
        with disk_errors(self.path):
            write_atomically(self.path / RUN_FILE, header.model_dump_json(indent=2) + "\n")

    def keep_tasks(self, texts: Mapping[str, str]) -> None:
        """Keep the user's own task files beside the plan that was made with them."""
        with disk_errors(self.path):
            for name, text in texts.items():
                (self.path / TASKS_FOLDER).mkdir(exist_ok=True)
                write_atomically(self.path / TASKS_FOLDER / f"{name}.yaml", text)

    def append(self, record: EpisodeRecord) -> None:
        """Make one finished episode durable. Raises ``UserError`` when the disk is full or gone."""
        with disk_errors(self.path):
            self._write_anew_if_deleted()
            data = (record.model_dump_json() + "\n").encode()
            if os.write(self._episodes, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._episodes)
        self.records[record.key] = record

    def _write_anew_if_deleted(self) -> None:
        """Somebody deleted ``episodes.jsonl`` while the run goes on: what it held is still known."""
        if os.fstat(self._episodes).st_nlink or not self.records:
            return
        write_atomically(self.path / EPISODES_FILE, "".join(f"{known.model_dump_json()}\n" for known in self.records.values()))
        os.close(self._episodes)
        self._episodes = os.open(self.path / EPISODES_FILE, os.O_WRONLY | os.O_APPEND)

    def open_episodes(
        self, retry_errored: bool = False, is_incomplete: Callable[[EpisodeRecord], bool] = lambda record: False
    ) -> list[Turn]:
        """What is still to be played, in plan order, repeat after repeat; ``errored`` episodes only if asked for, and others
        that have a result only if it ``is_incomplete``.
        """

        def is_open(turn: Turn) -> bool:
            record = self.records.get(turn.key)
            return record is None or (retry_errored if record.status == "errored" else is_incomplete(record))

        return [turn for turn in turns_of(self.plan, self.header.repeats) if is_open(turn)]

    def close(self) -> None:
        """Release the lock; may be called twice."""
        if "_episodes" in self.__dict__:
            with contextlib.suppress(OSError):  # the whole folder is gone
                self._write_anew_if_deleted()
        for name in ("_episodes", "_lock"):
            handle = self.__dict__.pop(name, None)
            if handle is not None:
                os.close(handle)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def write_atomically(path: Path, text: str) -> None:
    """Write a text file such that a crash leaves either the old or the new content."""
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to be written, which takes its place at the end; on a full disk nothing is left of it."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _refuse_another_run(path: Path, before: RunHeader, now: RunHeader) -> None:
    older.refuse_continuing(before, path)
    if before.plan_hash != now.plan_hash:
        raise UserError(
            f"{another_plan(path, before.episodes, now.episodes)}; choose another --out, or continue that run with "
            f"--resume {path}."
        )
    if now.repeats < before.repeats:
        raise UserError(
            f"{path} holds a run that plays each episode {times(before.repeats)}; give --repeat {before.repeats}, or more to "
            "extend it."
        )


def continued_header(before: RunData, now: RunHeader) -> RunHeader:
    """``run.json`` of a run that goes on as ``now`` says. Raises UserError if it may not; see :func:`continued_identity`."""
    identity = continued_identity(before.path, before.header.identity, now.identity, now.options.policy_changed)
    sessions = now.sessions
    if identity != before.header.identity:
        judged = sum(record.status != "errored" for record in before.records.values())
        change = PolicyChange(after=judged, of=now.episodes * now.repeats)
        sessions = tuple(session.model_copy(update={"policy_change": change}) for session in sessions)
    update = {
        "identity": identity,
        "sessions": (*before.header.sessions, *sessions),
        "options": now.options,
        "repeats": now.repeats,
    }
    return before.header.model_copy(update=update)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some space, then continue with the same command"
        else:
            hint = "choose another --out or fix its permissions"
        file = error.filename2 or error.filename
        place = f" ({file})" if file and str(file) != str(path) else ""
        reason = "a file is in its place" if isinstance(error, FileExistsError) and not place else error.strerror or str(error)
        raise UserError(f"Cannot write the results folder {path}: {reason}{place}; {hint}.") from error
