"""Who is told how a training goes: the terminal, ``log.jsonl`` in its folder, and a tracker."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType, TracebackType

from eval.errors import UserError
from eval.nouns import counted
from eval.records.folder import write_atomically
from eval.sinks.base import Subject, check_sink
from eval.sinks.thread import SinkThread
from eval.training.evaluation import FOLDER, evaluate
from eval.training.options import TrainOptions

LOG = "log.jsonl"
"""A line of numbers each time they are told, the step first; of an evaluation that failed, also why."""
SHARES = ("token_accuracy", "held_out_token_accuracy", "success_rate", "waiting_for_data")
HIDDEN = ("gradient_norm",)
RATE = "success_rate"
"""How the names of what evaluations found begin."""
FAILED = "evaluation_failed"
"""1 in the log and at the tracker at a step whose evaluation failed; in the log, ``problem`` says why."""


class TrainingMonitor:
    """A :class:`policies.training.Monitor`, and a context manager, which begins and ends the reports.

    Args:
        options: of the training.
        out: its folder.
        say: prints a line.
        unnorm_key: what evaluations scale actions with, as :func:`eval.training.evaluation.ranges_of` has it.
    """

    def __init__(self, options: TrainOptions, out: Path, say: Callable[[str], None], unnorm_key: str | None = None) -> None:
        self._options, self._out, self._print, self._unnorm_key = options, out, say, unnorm_key
        if options.report_to != "none":
            check_sink(options.report_to)
        self._tracker: SinkThread | None = None
        self._signal: int | None = None
        self._failed: list[str] = []
        """Checkpoints."""

    @property
    def signal(self) -> int | None:
        """The number of the signal that asked for the end."""
        return self._signal

    def __enter__(self) -> TrainingMonitor:
        if self._options.report_to != "none":
            subject = Subject(self._out.absolute(), self._out.name, self._options.model_dump(mode="json"))
            self._tracker = SinkThread(self._options.report_to, subject, self._print, "training")
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if self._failed:
            names = ", ".join(self._failed)
            self.say(f"{counted(len(self._failed), 'evaluation')} failed ({names}); why: {self._out / FOLDER}")
        if self._tracker is not None:
            self._tracker.finish()

    def begun(self, step: int) -> None:
        """The training begins, or goes on, after a step: what the log says of later ones will be said again.

        Raises UserError if the disk refuses.
        """
        path = self._out / LOG
        if not path.is_file():
            return
        with self._writing():
            kept = [line for line in path.read_text(errors="replace").splitlines() if _step_of(line) <= step]
            write_atomically(path, "".join(f"{line}\n" for line in kept))

    def say(self, line: str) -> None:
        """A line for the user."""
        self._print(f"simpler-eval: {line}")

    def log(self, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """A line, an entry of the log, a report to the tracker. Raises UserError if the disk refuses."""
        shown = [f"{name} {_shown(name, value)}" for name, value in metrics.items() if name not in HIDDEN]
        self._print(f"step {step}/{steps}  {'  '.join(shown)}")
        self._keep(step, metrics)

    def _keep(self, step: int, metrics: Mapping[str, float], **words: str) -> None:
        """An entry of the log, a report to the tracker, which takes numbers alone. Raises UserError if the disk refuses."""
        with self._writing(), (self._out / LOG).open("a") as file:
            file.write(json.dumps({"step": step, **metrics, **words}) + "\n")
        if self._tracker is not None:
            told = {f"train/{name}": value for name, value in metrics.items()}
            self._tracker.put(lambda sink: sink.log(told, step))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"{self._out / LOG} cannot be written: {error.strerror}. What was saved before is whole; make room, and go on "
                "with --resume."
            ) from error

    def lacks_evaluation(self, step: int) -> bool:
        """Whether the log says nothing of an evaluation at this step; the training ended before it did."""
        path = self._out / LOG
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        told = [name for line in lines if _step_of(line) == step for name in json.loads(line)]
        return not any(name == FAILED or name.startswith(RATE) for name in told)

    def evaluate(self, step: int, checkpoint: Path) -> Mapping[str, float]:
        """Play the checkpoint; a failure costs a line, here, in the log and at the end, and not the training."""
        found = evaluate(self._options, checkpoint, self._out, self._unnorm_key, self.stopping)
        if found.problem is None:
            return found.rates
        if self._signal is not None:  # Ctrl-C reaches both
            self.say(f"the evaluation of {checkpoint.name} was stopped, too")
            return found.rates
        self.say(f"the evaluation of {checkpoint.name} failed, the training goes on: {found.problem}")
        self._failed.append(checkpoint.name)
        with contextlib.suppress(UserError):  # the numbers come to the same file, and say so
            self._keep(step, {FAILED: 1.0}, problem=found.problem)
        return found.rates

    def stopping(self) -> bool:
        """Whether a signal asked for the end."""
        return self._signal is not None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """The first Ctrl-C, SIGTERM or SIGHUP ends the training after its step, with all saved; the next one at once."""

        def stop(number: int, frame: FrameType | None) -> None:
            if self._signal is not None:
                raise KeyboardInterrupt
            self._signal = number
            self.say("saving and stopping after this step; once more stops at once, and loses what came after the last save")

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.getsignal(number) for number in numbers}
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _shown(name: str, value: float) -> str:
    if name in SHARES or name.startswith(RATE):
        return f"{100 * value:.1f}%"
    return f"{value:.0f}" if name == "samples_per_second" and value >= 10 else f"{value:.4g}"


def _step_of(line: str) -> float:
    """Infinity for a line that a crash tore in half."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
