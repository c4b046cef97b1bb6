"""Reading the files of a run, every time in full: what is damaged, was edited or contradicts itself is named with its line.

A line that a crash tore in half ends ``episodes.jsonl`` and is no damage: its episode is played again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from weakref import WeakValueDictionary

from pydantic import ValidationError

from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.nouns import counted, times
from eval.plan.shards import parse_shard
from eval.records.header import SCHEMA_VERSION, RunHeader
from eval.records.results import EpisodeRecord, RecordKey
from eval.tasks.loading import task_digest, task_names
from task_configs import robots
from task_configs.schema.files import is_missing, read_bytes

RESTORE = "restore it or start a new run"


class Records(NamedTuple):
    """``episodes.jsonl`` as read."""

    by_key: dict[RecordKey, EpisodeRecord]
    """The last line of a key counts: an errored episode may have been played again."""
    whole: int
    """Bytes that hold whole lines; what follows was torn by a crash."""
    ended: bool
    """Whether the last whole line has its line break."""


def read_run_json(path: Path) -> dict[str, object]:
    """``run.json`` as plain data. Raises UserError."""
    try:
        content = json.loads(_text(path), object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({_short(error)}); {RESTORE}.") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged (it is no JSON object); {RESTORE}.")
    return content


def parse_header(path: Path, content: Mapping[str, object]) -> RunHeader:
    """``run.json`` of this version. Raises UserError."""
    version = content.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        which = "which is not said" if version is None else f"{version!r:.40}"
        raise UserError(f"{path} is of another version of simpler-eval ({which}); install that one.")
    try:
        header = RunHeader.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            text = f"{path} says more than this version of simpler-eval knows ({place}); install the one that wrote it."
            raise UserError(text) from None
        raise UserError(f"{path} is damaged ({place}: {first['msg']}); {RESTORE}.") from None
    if header.repeats < 1:
        raise UserError(f"{path} is damaged (repeats: {header.repeats}); {RESTORE}.")
    _check_shard(path, header)
    return header


def _check_shard(path: Path, header: RunHeader) -> None:
    if header.shard is None:
        return
    try:
        number, of = parse_shard(header.shard.shard)
    except UserError as error:
        raise UserError(f"{path} is damaged ({error}); {RESTORE}.") from None
    episodes = len(range(number - 1, header.shard.episodes, of))
    if episodes != header.episodes:
        said = f"shard {number}/{of} of {counted(header.shard.episodes, 'episode')} has {episodes}, not {header.episodes}"
        raise UserError(f"{path} is damaged ({said}); {RESTORE}.")


_READ: WeakValueDictionary[str, EpisodeSpec] = WeakValueDictionary()
"""Line of a plan -> its episode, as long as somebody has it."""


def read_plan(path: Path) -> tuple[EpisodeSpec, ...]:
    """``plan.jsonl`` of this version. Raises UserError.

    What stands in several plans in the same words is one object: 20 runs of 3,000 episodes each need no gigabyte.
    """
    specs = []
    for number, line in numbered_lines(path):
        try:
            known = _READ.get(line)
            specs.append(EpisodeSpec.model_validate_json(line) if known is None else known)
            _ = specs[-1].id  # a number that is not finite has none
            _READ[line] = specs[-1]
        except ValueError as error:
            raise UserError(f"Line {number} of {path} is damaged or of another version ({_short(error)}); {RESTORE}.") from None
    return tuple(specs)


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number, text) of the lines of a text file that are not blank. Raises UserError."""
    for number, line in enumerate(_text(path).split("\n"), start=1):  # a text may hold other line separators
        if line.strip():
            yield number, line


def check_plan(path: Path, plan: Sequence[EpisodeSpec], header: RunHeader, plan_hash: str) -> None:
    """Raise UserError unless the plan is the one that ``run.json`` was written for: tables would leave out what was lost."""
    if plan_hash != header.plan_hash:
        raise UserError(
            f"{path} ({counted(len(plan), 'episode')}) is not the plan that run.json was written for "
            f"({counted(header.episodes, 'episode')})"
            f"{_what_changed(plan, header)}; {RESTORE}."
        )
    if not plan:
        raise UserError(f"{path} has no episodes; {RESTORE}.")
    for what, said, found in (
        ("episodes", header.episodes, len(plan)),
        ("seeds", list(header.seeds), sorted({spec.seed for spec in plan})),
    ):
        if said != found:
            text = f"{path.parent / 'run.json'} is damaged: {what} is {said!r:.80}, of its plan {found!r:.80}; {RESTORE}."
            raise UserError(text)


def check_tasks(folder: Path, header: RunHeader) -> None:
    """Raise UserError if a task file that the run keeps is not the one that it was played with.

    A run that was killed as it began may have none yet.
    """
    for name, digest in header.identity.tasks.items():
        file = folder / f"{name}.yaml"
        if not is_missing(file) and task_digest(_text(file)) != digest:
            raise UserError(f"{file} is not the task that the run was played with; {RESTORE}.")


def read_records(path: Path, plan: Sequence[EpisodeSpec], header: RunHeader) -> Records:
    """``episodes.jsonl``; none where it is not there yet. Raises UserError."""
    records: dict[RecordKey, EpisodeRecord] = {}
    if is_missing(path):
        return Records(records, 0, ended=True)
    specs = {spec.id: spec for spec in plan}
    numbers: dict[RecordKey, int] = {}
    content = read_bytes(path)
    filled = content.rstrip(b"\n\r\t ")
    position = whole = 0
    for number, line in enumerate(io.BytesIO(content), start=1):
        position += len(line)
        if not line.strip():
            continue
        try:
            record = EpisodeRecord.model_validate_json(line)
        except ValidationError as error:
            if error.errors()[0]["type"] == "json_invalid" and position >= len(filled):
                break  # torn; a line break may reach the disk before the text it ends
            raise UserError(
                f"Line {number} of {path} is damaged ({_short(error)}); remove the line to run its episode again."
            ) from None
        problem = _contradiction(record, specs.get(record.id), header) or _changed_verdict(record, records, numbers)
        if problem:
            raise UserError(f"Line {number} of {path} {problem}; remove the line to run its episode again.")
        records[record.key], numbers[record.key] = record, number
        whole = position
    return Records(records, whole, ended=content[:whole].endswith(b"\n") or whole == 0)


def _contradiction(record: EpisodeRecord, spec: EpisodeSpec | None, header: RunHeader) -> str | None:
    """Why a record cannot be one of this run, if so."""
    if spec is None:
        return f"is of an episode that is not in the plan ({record.id})"
    for field in ("task", "setting", "variant"):
        ours, theirs = getattr(spec, field), getattr(record, field)
        if ours != theirs:
            return f"says {field} {theirs!r}, but the plan has {ours!r} for its episode"
    found = next(_problems(record, spec, header), None)
    return found and f"contradicts itself: it {found}"


def _problems(record: EpisodeRecord, spec: EpisodeSpec, header: RunHeader) -> Iterator[str]:
    status, first = record.status, record.first_success_step
    good = record.success_any if header.options.success == "any" else record.success_last
    if (status == "success" and not good) or (status == "failure" and record.success_last):
        yield f"is a {status} although its last step {'is' if record.success_last else 'is not'} one"
    if record.success_last and not record.success_any:
        yield "says success in the last step but not in any"
    if first is not None and not record.success_any:
        yield f"says a first success in step {first} but none in any"
    if first is not None and not 1 <= first <= record.steps:
        yield f"says a first success in step {first} of {record.steps}"
    if not 0 <= record.steps <= spec.max_steps:
        yield f"says {counted(record.steps, 'step')}; its episode has at most {spec.max_steps}"
    if status != "errored" and record.error is not None:
        yield f"is a {status} with an error"
    if not 0 <= record.repeat < header.repeats:
        yield f"is repeat {record.repeat} (from 0) of an episode that is played {times(header.repeats)}"
    if record.attempts < 1:
        yield f"says {record.attempts} attempts"
    if not 0 <= record.seconds < float("inf"):
        yield f"says {record.seconds} seconds"


def _changed_verdict(
    record: EpisodeRecord, records: Mapping[RecordKey, EpisodeRecord], numbers: Mapping[RecordKey, int]
) -> str | None:
    """Why a second record of an episode cannot be, if so: only one without a verdict is played again."""
    before = records.get(record.key)
    if before is None or before.status in ("errored", record.status):
        return None
    return f"says {record.status} of an episode that is a {before.status} in line {numbers[record.key]}"


def _what_changed(plan: Sequence[EpisodeSpec], header: RunHeader) -> str:
    """What can be seen of what happened to a plan."""
    lines: dict[str, int] = {}
    for number, spec in enumerate(plan, start=1):
        if spec.id in lines:
            return f"; episode {number} repeats episode {lines[spec.id]}"
        lines[spec.id] = number
        if spec.robot not in robots():
            return f'; episode {number} names a robot "{spec.robot}".{did_you_mean(spec.robot, robots())}'.rstrip(".?") + "?"
        known = {*task_names(), *header.identity.tasks}
        if spec.task not in known:
            return f'; episode {number} names a task "{spec.task}".{did_you_mean(spec.task, known)}'.rstrip(".?") + "?"
    return ""


def _text(path: Path) -> str:
    if is_missing(path):
        raise UserError(f"{path} is missing; the run cannot be continued or counted without it.")
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is damaged or of another version (no UTF-8 text: {error.reason}); {RESTORE}.") from None


def _no_key_twice(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f'the key "{next(name for name in names if names.count(name) > 1)}" is given twice')
    return content


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is no number of JSON")


def _short(error: Exception) -> str:
    """The reason in a few words."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{place}: {first['msg']}" if place else first["msg"]
    if isinstance(error, RecursionError):
        return "lists and objects too deep in each other"
    return "a number of too many digits" if "integer string conversion" in str(error) else str(error)[:200]
