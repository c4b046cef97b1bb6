"""The run folder: ``run.json``, ``plan.jsonl`` and an append-only ``episodes.jsonl``.

One process writes a folder at a time (``flock``), every finished episode is one fsynced line, and a line that a crash
tore in half is dropped and its episode run again. So whatever kills a run, the same command continues it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.results import EpisodeRecord
from eval.tasks.user_tasks import add_user_task, user_tasks

RUN_FILE, PLAN_FILE, EPISODES_FILE, LOCK_FILE = "run.json", "plan.jsonl", "episodes.jsonl", ".lock"
TASKS_FOLDER = "tasks"
"""The user's own task files of a run, if it has any."""


@dataclass(frozen=True)
class RunData:
    """A run as read from disk."""

    path: Path
    header: dict[str, Any]
    plan: tuple[EpisodeSpec, ...]
    records: dict[str, EpisodeRecord]
    """By episode id; the last line of an id counts."""


def plan_hash(plan: Sequence[EpisodeSpec]) -> str:
    """16 hex digits over the ids in order: two plans with the same hash are the same work."""
    return hashlib.blake2b(" ".join(spec.id for spec in plan).encode(), digest_size=8).hexdigest()


def load_run(path: Path) -> RunData:
    """Read a run without locking it (it may still be running).

    Raises ``UserError`` if the folder holds no run or its files are damaged.
    """
    if not path.is_dir():
        raise UserError(f"{path} is not a folder; give the folder of a run (it holds {RUN_FILE}).")
    if not (path / RUN_FILE).is_file():
        raise UserError(f"{path} holds no {RUN_FILE}; give the folder of a run.")
    with disk_errors(path):
        try:
            header = json.loads((path / RUN_FILE).read_text())
        except ValueError as error:
            raise UserError(f"{path / RUN_FILE} is damaged ({error}); restore it or start a new run.") from error
        plan = _read_plan(path / PLAN_FILE)
        records, _ = _read_records(path / EPISODES_FILE)
    return RunData(path, header, plan, records)


def know_tasks(run: Path) -> None:
    """Make the user's tasks that a run keeps known, where no task of their name is."""
    for file in sorted((run / TASKS_FOLDER).glob("*.yaml")):
        if file.stem not in user_tasks():
            add_user_task(file)


class RunFolder:
    """A run that this process is writing. Use as a context manager; leaving it releases the lock."""

    def __init__(self, path: Path, plan: Sequence[EpisodeSpec], header: dict[str, Any]) -> None:
        """Create the folder, or continue the run in it.

        ``header`` is the content of ``run.json``; its ``identity`` (policy, assets) must agree with the run that is
        continued. Raises ``UserError`` if the folder cannot be written, another process writes it, or it holds other
        things than this run.
        """
        self.path = path
        self.plan = tuple(plan)
        self.records: dict[str, EpisodeRecord] = {}
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
                f"Another process is writing {self.path}; wait for it, stop it, or choose another --out."
            ) from error

    def _start(self, header: dict[str, Any]) -> dict[str, Any]:
        header = {**header, "plan_hash": plan_hash(self.plan), "episodes": len(self.plan)}
        run_file = self.path / RUN_FILE
        if run_file.exists():
            found = load_run(self.path)
            _refuse_another_run(self.path, found.header, header)
            started = [*found.header.get("sessions", []), *header.get("sessions", [])]
            header = {**found.header, "sessions": started}
        else:
            strangers = sorted(p.name for p in self.path.iterdir() if not p.name.startswith((".", PLAN_FILE)))
            if strangers:
                raise UserError(f"{self.path} is not empty and holds no run (found {strangers[0]}); choose another --out.")
            lines = "".join(spec.model_dump_json() + "\n" for spec in self.plan)
            write_atomically(self.path / PLAN_FILE, lines)
        self.write_header(header)
        return header

    def _continue(self) -> dict[str, EpisodeRecord]:
        records, good_bytes = _read_records(self.path / EPISODES_FILE)
        file = self.path / EPISODES_FILE
        if file.exists() and file.stat().st_size > good_bytes:
            os.truncate(file, good_bytes)
        return records

    def write_header(self, header: dict[str, Any]) -> None:
        """Replace ``run.json``, all or nothing."""
        self.header = header
        with disk_errors(self.path):
            write_atomically(self.path / RUN_FILE, json.dumps(header, indent=2, default=str) + "\n")

    def keep_tasks(self, texts: Mapping[str, str]) -> None:
        """Keep the user's own task files beside the plan that was made with them."""
        with disk_errors(self.path):
            for name, text in texts.items():
                (self.path / TASKS_FOLDER).mkdir(exist_ok=True)
                write_atomically(self.path / TASKS_FOLDER / f"{name}.yaml", text)

    def append(self, record: EpisodeRecord) -> None:
        """Make one finished episode durable. Raises ``UserError`` when the disk is full or gone."""
        with disk_errors(self.path):
            data = (record.model_dump_json() + "\n").encode()
            if os.write(self._episodes, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._episodes)
        self.records[record.id] = record

    def open_episodes(self, retry_errored: bool = False) -> list[EpisodeSpec]:
        """The episodes still to run, in plan order; ``errored`` ones only if asked for."""

        def is_open(spec: EpisodeSpec) -> bool:
            record = self.records.get(spec.id)
            return record is None or (retry_errored and record.status == "errored")

        return [spec for spec in self.plan if is_open(spec)]

    def close(self) -> None:
        """Release the lock; may be called twice."""
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
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _read_plan(path: Path) -> tuple[EpisodeSpec, ...]:
    try:
        return tuple(EpisodeSpec.model_validate_json(line) for line in path.read_text().splitlines())
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; the run cannot be continued or counted without its plan.") from error
    except ValidationError as error:
        raise UserError(f"{path} is damaged or of another version; start a new run.") from error


def _read_records(path: Path) -> tuple[dict[str, EpisodeRecord], int]:
    """Records by id, and how many bytes hold whole lines (what follows was torn by a crash)."""
    records: dict[str, EpisodeRecord] = {}
    if not path.exists():
        return records, 0
    lines = path.read_bytes().split(b"\n")
    good = 0
    for number, line in enumerate(lines[:-1], start=1):
        try:
            record = EpisodeRecord.model_validate_json(line)
        except ValidationError as error:
            if number == len(lines) - 1:  # a newline may reach the disk before the text it ends
                break
            raise UserError(f"Line {number} of {path} is damaged; remove the line to run its episode again.") from error
        records[record.id] = record
        good += len(line) + 1
    return records, good


def _refuse_another_run(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    if found.get("plan_hash") != wanted["plan_hash"]:
        raise UserError(
            f"{path} holds a run of another plan ({found.get('episodes')} episodes, this one has "
            f"{wanted['episodes']}); choose another --out, or continue that run with --resume {path}."
        )
    before, now = found.get("identity", {}), wanted.get("identity", {})
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            raise UserError(
                f"{path} holds a run with {key} {before.get(key)!r}, this one has {now.get(key)!r}; choose another --out."
            )


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some space, then continue with the same command"
        else:
            hint = "choose another --out or mend its permissions"
        raise UserError(f"Cannot write the results folder {path}: {error.strerror or error}; {hint}.") from error
