"""Begins a training, or goes on with one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from pydantic import JsonValue, ValidationError

from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.folder import write_atomically
from eval.records.locking import LOCK_FILE, alone_in
from eval.records.provenance import provenance
from eval.training.demonstrations import LeRobotDemonstrations, named_dataset, open_demonstrations
from eval.training.evaluation import ranges_of
from eval.training.monitor import TrainingMonitor
from eval.training.options import TrainOptions
from eval.training.processes import train_together
from policies.registry import check_policy
from policies.training import BASE, Job, StoppedEarly, Trained, check_packages, check_settings, find_trainer

OPTIONS = "options.json"
"""In the folder of a training: what it was begun with. Its presence makes the folder one."""
FRAMES = "frames"
LEFT = {LOCK_FILE, f".{OPTIONS}.part", FRAMES, BASE}
"""What a folder may hold in which a training was killed or refused before it began; prepared images stay useful."""
CHANGEABLE = (
    "datasets", "stop_after", "device", "gpus", "save_steps", "log_steps", "eval_every", "eval_tasks", "eval_episodes",
    "report_to", "frames",
)  # fmt: skip
"""Options that a training may go on with otherwise; datasets may lie elsewhere, but must be the same."""


def begin(options: TrainOptions, out: Path, say: Callable[[str], None]) -> tuple[Trained | None, int | None]:
    """Begin a training.

    Args:
        options: what is trained on what, and how.
        out: its folder; new, or empty.
        say: prints a line.

    Returns:
        What came out, None if it stopped before there was anything, and the signal that stopped it, if one did.

    Raises:
        UserError: an option or a dataset cannot be used, the folder is another training's, or the disk refuses.
    """
    options = options.settled()
    if out.exists() and not (out.is_dir() and _may_begin(path.name for path in out.iterdir())):
        if (out / OPTIONS).is_file():
            raise UserError(f"{out} is a training; go on with it (--resume {out}), or choose another --out.")
        raise UserError(f"{out} exists and is no training; choose another --out.")
    _check(options)
    datasets = _open(options)
    if within := [each.name for each in datasets if each.root in out.absolute().parents]:
        raise UserError(f"--out {out} lies within the dataset {within[0]}; choose another.")
    options = options.model_copy(
        update={
            "datasets": tuple(f"{each.key}={each.root}" for each in datasets),
            "checkpoint": _absolute(options.checkpoint),
            "frames": None if options.frames is None else str(Path(options.frames).expanduser().absolute()),
        }
    )
    monitor = TrainingMonitor(options, out, say, ranges_of(options, datasets))
    with contextlib.ExitStack() as stack:
        with _writing(out):
            out.mkdir(parents=True, exist_ok=True)
            stack.enter_context(alone_in(out))
            if (out / OPTIONS).exists():  # by a process that began at the same time
                raise UserError(f"{out} is a training; go on with it (--resume {out}), or choose another --out.")
            write_atomically(out / OPTIONS, options.model_dump_json(indent=1) + "\n")
        try:
            return _train(options, datasets, out, monitor, resume=False)
        except UserError:
            _undo_beginning(out)
            raise


def go_on(given: TrainOptions, out: Path, say: Callable[[str], None]) -> tuple[Trained | None, int | None]:
    """Go on with a training from what was saved last; what ``given`` does not set is as it was begun.

    Raises:
        UserError: as :func:`begin`; the folder holds no training, or the data or the checkpoint is not what it was.
    """
    path = out / OPTIONS
    try:
        before = TrainOptions.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{out} holds no training ({OPTIONS} is missing); begin one with --out.") from None
    except (OSError, ValidationError) as error:
        raise UserError(f"{path} cannot be read; begin anew with another --out.") from error
    options = before.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})
    if "stop_after" not in given.model_fields_set:
        options = options.model_copy(update={"stop_after": None})
    options = options.settled()
    _check(options)
    datasets = _open(options)
    monitor = TrainingMonitor(options, out, say, ranges_of(options, datasets))
    with contextlib.ExitStack() as stack:
        with _writing(out):
            stack.enter_context(alone_in(out))
        return _train(options, datasets, out, monitor, resume=True)


def _undo_beginning(out: Path) -> None:
    """Let the folder of a training that was refused before it made anything be used again, with options that can be."""
    with contextlib.suppress(OSError):
        if _may_begin(path.name for path in out.iterdir() if path.name != OPTIONS):
            (out / OPTIONS).unlink()


def _may_begin(names: Iterable[str]) -> bool:
    """Whether a folder that holds these is empty or ours: without the lock, a folder called base is somebody else's."""
    held = set(names)
    return not held or (LOCK_FILE in held and held <= LEFT)


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}.") from error


def _check(options: TrainOptions) -> None:
    """What can be refused before data are read."""
    if options.eval_every is not None:
        make_plan(tasks=options.eval_tasks, placements="heldout", limit=1)  # what an evaluation would only say in the end
    check_settings(options.settings)
    if options.frames is not None and not (frames := Path(options.frames).expanduser()).is_dir() and frames.exists():
        raise UserError(f"--frames {frames} is a file; choose a folder.")
    if options.checkpoint is not None:
        check_policy(options.policy, {"checkpoint": options.checkpoint})
    for text in options.datasets:
        named_dataset(text)
    check_packages(options.policy, options.settings)
    find_trainer(options.policy)


def _open(options: TrainOptions) -> list[LeRobotDemonstrations]:
    opened = [open_demonstrations(text, options.tracevla, options.allow_test_placements) for text in options.datasets]
    for number, each in enumerate(opened):
        for before in opened[:number]:
            if each.episodes == before.episodes:  # what is held out of the one would be trained on in the other
                raise UserError(f"{each.name} is given twice (as {before.name}, the same data); give each --dataset once.")
    return opened


def _absolute(checkpoint: str | None) -> str | None:
    """A folder from wherever it is gone on with; a name on the hub as it is."""
    if checkpoint is None or not Path(checkpoint).expanduser().is_dir():
        return checkpoint
    return str(Path(checkpoint).expanduser().absolute())


def _train(
    options: TrainOptions, datasets: Sequence[LeRobotDemonstrations], out: Path, monitor: TrainingMonitor, resume: bool
) -> tuple[Trained | None, int | None]:
    on_test = any(each.on_test_placements for each in datasets)
    if on_test:
        monitor.say("some of the demonstrations stand where the evaluation plays: every title of this policy will say so")
    made = provenance()
    data: list[JsonValue] = [{"key": each.key, "fingerprint": each.fingerprint, **each.facts} for each in datasets]
    record: dict[str, JsonValue] = {
        "test_placements": on_test,
        "datasets": data,
        "command": made.command,
        "git": None if made.git is None else made.git.model_dump(mode="json"),
        "packages": dict(made.packages),
    }
    frames = Path(options.frames) if options.frames else out / FRAMES
    job = Job(options.settings, datasets, out, frames, record, resume)
    with monitor, monitor.listening():
        train = find_trainer(options.policy) if options.gpus == 1 else partial(train_together, options.policy)
        try:
            return train(job, monitor), monitor.signal
        except StoppedEarly as stop:
            monitor.say(str(stop))
            return None, monitor.signal
