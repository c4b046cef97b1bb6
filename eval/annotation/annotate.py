"""``simpler-eval annotate-traces``: a dataset in, the same dataset with traces out."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection, wait
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from eval.annotation.assembly import assemble, check_source
from eval.annotation.drawing import Annotator, TraceOptions, check_trace_options, make_annotator
from eval.annotation.episodes import DRAWN, Drawings, Subject, draw, name_of, subject_of
from eval.backends.protocol import live_with_parent
from eval.datasets.extra import need_encoder
from eval.datasets.origin import TraceOrigin
from eval.datasets.reader import INFO_FILE, LeRobotReader, files_below, find_dataset
from eval.errors import UserError
from eval.records.folder import disk_errors, write_atomically
from eval.records.locking import LOCK_FILE, alone_in
from eval.rollout.processes import Process, start_own

SETTINGS = "settings"
"""File among the drawn episodes."""

OnDrawn = Callable[[int, int], None]
"""Told how many episodes are drawn, of how many."""


class _Settings(BaseModel):
    """What the drawn episodes of a dataset under way have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    """Hash over what the dataset says of its episodes."""
    camera: str
    robot: str
    origin: TraceOrigin


def traced_folder(source: Path) -> Path:
    """Where a dataset with traces is put unless somebody says otherwise."""
    source = source.absolute()
    return source.with_name(f"{source.name}-traces")


def annotate_traces(
    source: Path,
    out: Path | None = None,
    options: TraceOptions | None = None,
    *,
    camera: str | None = None,
    robot: str | None = None,
    workers: int | None = None,
    on_drawn: OnDrawn | None = None,
) -> Path:
    """Make a dataset that also has traces: images ``<camera>_trace`` and the column ``has_trace``.

    The images are those that ``tracevla_phi3`` draws while it plays an episode and is shown the images of the dataset, under
    the episode's name and seed, at 256 x 256 and to the bit. What is drawn is kept, whatever ends the process: the same call
    goes on with it. Files that stay the same are shared with the first dataset (hard links).

    Args:
        source: folder of a dataset of LeRobot's layout v3.0, ours or another's.
        out: folder of the new one; None: ``<source>-traces``.
        options: how traces are drawn.
        camera: feature whose images get them; None: the only one, or that of the public copies of Bridge and Fractal.
        robot: ``google_robot`` or ``widowx``, whose traces look back differently far; None: as the dataset says.
        workers: processes; None: one a core for optical flow, one for CoTracker.
        on_drawn: told how it goes on.

    Returns:
        The folder of the new dataset.

    Raises:
        UserError: the dataset or an option cannot be used, an image cannot be decoded, or the disk refuses.
    """
    options = options or TraceOptions()
    check_trace_options(options)
    source = source.absolute()
    out = traced_folder(source) if out is None else out.absolute()
    find_dataset(source)
    if out.exists():
        raise UserError(f"{out} exists; choose another --out.")
    if source in out.parents:
        raise UserError(f"--out {out} lies within the dataset itself; choose another.")
    subject = subject_of(source, camera, robot)
    need_encoder("Drawing traces")
    annotator = make_annotator(options)
    origin = _origin(annotator, options)
    part = out.with_name(f".{out.name}.part")
    reader = _reader(subject, source)
    drawings = Drawings(part, subject.camera, reader.info.video_path)
    with disk_errors(out), ExitStack() as stack:
        (part / DRAWN).mkdir(parents=True, exist_ok=True)
        stack.enter_context(alone_in(part / DRAWN))
        if out.exists():  # made by a process that began at the same time
            raise UserError(f"{out} exists; choose another --out.")
        _begin(part, _Settings(source=_hash(source), camera=subject.camera, robot=subject.robot, origin=origin))
        left, total = drawings.missing(len(reader.episodes)), len(reader.episodes)
        if on_drawn is not None:
            on_drawn(total - len(left), total)
        count = min(workers or (1 if annotator.together > 1 else len(os.sched_getaffinity(0))), len(left))
        drawn = (
            _here(subject, reader, annotator, drawings, left)
            if count < 2
            else _in_processes(subject, options, part, reader.info.video_path, left, count)
        )
        for done, numbers in enumerate(drawn, total - len(left) + 1):
            del numbers
            if on_drawn is not None:
                on_drawn(done, total)
        assemble(subject, reader, drawings, part, origin)
        part.rename(out)
        # not before: who ends in between would have lost what is drawn
        shutil.rmtree(out / DRAWN, ignore_errors=True)
    return out


def _origin(annotator: Annotator, options: TraceOptions) -> TraceOrigin:
    """What the dataset says of what drew its traces."""
    described = annotator.describe()
    return TraceOrigin.model_validate({
        "tracker": described.name, "tracker_weights": described.weights, "preset": options.trace_preset,
        "details": dict(described.details),
    })  # fmt: skip


def _reader(subject: Subject, source: Path) -> LeRobotReader:
    """Of the images that get traces. Raises UserError if there is nothing to draw on, in all or in an episode."""
    reader = subject.reader()
    if not len(reader):
        raise UserError(f"{source} holds no frames; record some, or fetch it anew.")
    if empty := [episode.number for episode in reader.episodes if not len(episode)]:
        raise UserError(f"{source} holds no frame of episode {empty[0]}; fetch or write it anew.")
    check_source(reader)
    return reader


def _begin(part: Path, settings: _Settings) -> None:
    """Begin the folder under way, or make sure that it is of the same."""
    file = part / DRAWN / SETTINGS
    if file.is_file():
        try:
            before = _Settings.model_validate_json(file.read_bytes())
        except ValidationError:
            before = None
        if before != settings:
            raise UserError(
                f"{part} holds traces begun on another dataset or with another tracker; remove it, or give another --out."
            )
        return
    for path in (*part.iterdir(), *file.parent.iterdir()):
        if path.is_dir() and path.name != DRAWN:
            shutil.rmtree(path)
        elif not path.is_dir() and path.name != LOCK_FILE:
            path.unlink()
    write_atomically(file, settings.model_dump_json())


def _hash(source: Path) -> str:
    """Over ``meta/info.json`` and ``meta/episodes``, which has statistics of every episode's content."""
    digest = hashlib.blake2b(digest_size=16)
    for path in (source / INFO_FILE, *files_below(source / "meta/episodes", ".parquet")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _here(
    subject: Subject, reader: LeRobotReader, annotator: Annotator, drawings: Drawings, numbers: Sequence[int]
) -> Iterator[int]:
    for batch in _batches(reader, numbers, annotator.together):
        draw(subject, reader, annotator, drawings, batch)
        yield from batch


def _batches(reader: LeRobotReader, numbers: Sequence[int], together: int) -> Iterator[list[int]]:
    """Episodes that are drawn together; two of one name, as in runs that were put into one dataset, are told apart by time."""
    batch: dict[str, int] = {}
    for number in numbers:
        name = name_of(reader.episodes[number])
        if len(batch) == together or name in batch:
            yield [*batch.values()]
            batch = {}
        batch[name] = number
    if batch:
        yield [*batch.values()]


# ---- several processes -------------------------------------------------------------------------------------------------


def _in_processes(
    subject: Subject, options: TraceOptions, part: Path, video_path: str | None, numbers: Sequence[int], count: int
) -> Iterator[int]:
    """The same, shared out among processes of ours."""
    with ExitStack() as stack:
        started: dict[Connection, Process] = {}
        for worker in range(count):
            process, connection = start_own(
                draw_share, os.getpid(), subject, options, part, video_path, tuple(numbers[worker::count])
            )
            stack.callback(process.kill)
            started[connection] = process
        while started:
            for ready in wait(list(started)):
                assert isinstance(ready, Connection)
                yield from _heard(ready, started)


def _heard(connection: Connection, started: dict[Connection, Process]) -> Iterator[int]:
    try:
        said = connection.recv()
    except (EOFError, ConnectionResetError):
        process = started.pop(connection)
        process.join(5.0)
        raise UserError(
            f"A process that draws ended with code {process.exitcode}; what is drawn is kept, and the same command goes on."
        ) from None
    if isinstance(said, Exception):
        raise said
    if said is None:
        del started[connection]
        return
    yield said


def draw_share(
    connection: Connection,
    parent: int,
    subject: Subject,
    options: TraceOptions,
    part: Path,
    video_path: str | None,
    numbers: tuple[int, ...],
) -> None:
    """A process of its own: draw these episodes, and send the number of each, and at last None or what went wrong.

    It ends with the process that started it, which may be started again at once and draw the same.
    """
    import cv2

    live_with_parent(parent)
    cv2.setNumThreads(1)  # there is a process for every core
    try:
        reader = subject.reader()
        for number in _here(subject, reader, make_annotator(options), Drawings(part, subject.camera, video_path), numbers):
            connection.send(number)
        connection.send(None)
    except (UserError, OSError) as error:
        connection.send(error)
