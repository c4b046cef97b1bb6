"""One session of a run, from the first episode to its tables; whatever ends it, what is known is kept and said."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn

from eval.errors import UserError
from eval.records.folder import RunData, RunFolder
from eval.records.header import SessionRecord
from eval.records.provenance import now
from eval.records.tables import write_tables
from eval.rollout.closing import Closing, closing_of, continuing_command
from eval.rollout.exits import leave
from eval.rollout.loop import Rollout
from eval.rollout.policy_calls import PolicyCalls
from eval.rollout.recorder import FolderRecorder
from eval.rollout.replicas.head import Head
from eval.rollout.replicas.staff import StaffCalls

Outcome = Literal["finished", "interrupted", "stopped"]
VIDEO_SECONDS = 20.0
"""That videos may still take when the process must end."""
SHOW_CURSOR = "\x1b[?25h"


class ActiveRun:
    """What is under way; until :meth:`play` it has no folder.

    Args:
        calls: the policy, or its replicas.
        shown: path of the folder as the user gave it.
        by_name: whether the policy was given by its name.
        on_end: called with what is to be said.
        go_on: how the run is continued, where it is a part of something larger; None: by itself.
    """

    def __init__(
        self,
        calls: PolicyCalls | StaffCalls,
        shown: Path,
        by_name: bool,
        on_end: Callable[[Closing], None],
        go_on: str | None = None,
    ) -> None:
        self._calls, self._shown, self._by_name, self._on_end, self._go_on = calls, shown, by_name, on_end, go_on
        self._staff = calls.staff if isinstance(calls, StaffCalls) else None
        self._begun = time.monotonic()
        self._rollout: Rollout | Head | None = None
        self._recorder: FolderRecorder | None = None
        self._completed = False

    def play(self, rollout: Rollout | Head, recorder: FolderRecorder) -> None:
        """Play to the end, or until something stops it; videos, record and tables are completed in both cases."""
        self._rollout, self._recorder = rollout, recorder
        try:
            try:
                rollout.play()
            finally:
                self._keep_videos(recorder)
        except BaseException as error:
            outcome: Outcome = "interrupted" if isinstance(error, KeyboardInterrupt) else "stopped"
            with contextlib.suppress(UserError):  # what stopped the run matters more
                self._complete(recorder, outcome, None)
            raise
        reason = rollout.stopping.reason
        self._complete(recorder, "finished" if reason is None else "stopped", reason)

    def _complete(self, recorder: FolderRecorder, outcome: Outcome, reason: str | None) -> None:
        remarks: tuple[str, ...] = ()
        unrecorded: str | None = None
        try:
            remarks = (*self._describe_again(recorder.folder), *(self._staff.remarks() if self._staff else ()))
            self._end_session(recorder, outcome)
            _write_tables(recorder.folder)
            if recorder.recordings is not None:
                unrecorded = recorder.recordings.finish(_data(recorder.folder))
        finally:
            recorder.faults.close()
            command = self._command(recorder.folder)
            self._completed = True
            self._on_end(closing_of(recorder, self._shown, reason, command, remarks, unrecorded))

    def _command(self, folder: RunFolder) -> str:
        return self._go_on or continuing_command(folder, self._shown, self._by_name)

    def _keep_videos(self, recorder: FolderRecorder) -> None:
        """Wait for the videos that are on their way; a second Ctrl-C gives them up, never the results."""
        interrupts = self._calls.interrupts
        try:
            recorder.wait()
        finally:
            interrupts.hold()
            try:
                recorder.keep_filmed()
            finally:
                interrupts.release()

    def _describe_again(self, folder: RunFolder) -> tuple[str, ...]:
        """Record what the policy counted meanwhile; one that cannot describe itself any more keeps its first description."""
        options = folder.header.options
        try:
            description = self._calls.describe(options.policy, options.policy_args)
        except UserError as error:
            return (f"simpler-eval: the policy's first description is kept: {error}",)
        folder.write_header(folder.header.model_copy(update={"policy": description}))
        return ()

    def _end_session(self, recorder: FolderRecorder, outcome: Outcome) -> None:
        folder = recorder.folder
        *before, session = folder.header.sessions
        ended = SessionRecord.model_validate({
            **dict(session),
            "outcome": outcome,
            "ended": now(),
            "wall_seconds": round(time.monotonic() - self._begun, 3),
            "episodes": recorder.appended,
            "replicas": self._staff.record() if self._staff else (),
        })  # fmt: skip
        folder.write_header(folder.header.model_copy(update={"sessions": (*before, ended)}))

    # ---- the policy does not come back -------------------------------------------------------------------------------

    def last_words(self, text: str) -> NoReturn:
        """End the process, from another thread than the one that hangs: keep and say what is known."""
        then = "the run had not begun"
        if self._completed:
            then = f"the run itself is complete: simpler-eval report {self._shown}"
        elif self._recorder is not None:
            with contextlib.suppress(Exception):
                self._keep_all(self._recorder, text)
            command = self._command(self._recorder.folder)
            then = f"what is done is kept; go on with: {command}"
        line = f"simpler-eval: {text}; the process ends, {then}\n"
        cursor = SHOW_CURSOR if os.isatty(2) else ""
        with contextlib.suppress(OSError):
            os.write(2, f"\n{cursor}{line}".encode(errors="backslashreplace"))
        if isinstance(self._rollout, Rollout) and self._rollout.pool is not None:
            self._rollout.pool.kill()
        leave(1)

    def _keep_all(self, recorder: FolderRecorder, text: str) -> None:
        recorder.faults.stacks(text)
        recorder.wait(VIDEO_SECONDS)
        recorder.keep_filmed()
        recorder.faults.close()
        self._end_session(recorder, "stopped")
        _write_tables(recorder.folder)


def _write_tables(folder: RunFolder) -> None:
    write_tables(_data(folder), folder.header.options.partial)


def _data(folder: RunFolder) -> RunData:
    return RunData(folder.path, folder.header, folder.plan, dict(folder.records))
