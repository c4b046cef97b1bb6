"""What a run says when it ends: what went wrong, how often, why, and with which command it goes on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eval.nouns import times
from eval.records.errors import error_counts, error_lines, kind_of
from eval.records.folder import RunFolder
from eval.rollout.fault_log import FILE
from eval.rollout.play import KEPT_IMAGE
from eval.rollout.preparing import NAME as PREPARING
from eval.rollout.recorder import FolderRecorder

TRACEBACK_LINES = 30
"""Of the first fault that are shown; the rest is in ``errors.log``."""


@dataclass(frozen=True)
class Closing:
    """The last lines of a run; none if nothing went wrong."""

    lines: tuple[str, ...] = ()
    reason: str | None = None
    """Why the run stopped before its end; None: it did not, or Ctrl-C stopped it."""
    unkept: bool = False
    """Whether something that was asked for is not on disk: a video, frames, a dataset."""


def continuing_command(folder: RunFolder, shown: Path, by_name: bool) -> str:
    """How a run is continued such that episodes without a verdict are played again.

    Args:
        folder: of the run.
        shown: its path as the user gave it.
        by_name: whether the policy was given by its name, else it is an object that only the caller has.
    """
    errored = any(record.status == "errored" for record in folder.records.values())
    own_code = folder.header.identity.policy.code is not None
    if by_name:
        flags = [*(["--retry-errored"] if errored else []), *(["--policy-changed"] if own_code else [])]
        return shlex.join(["simpler-eval", "run", "--resume", str(shown), *flags])
    words = [*(["retry_errored=True"] if errored else []), *(["policy_changed=True"] if own_code else [])]
    return f"eval.run({', '.join(['plan', 'policy', f'out={str(shown)!r}', *words])})"


def closing_of(
    recorder: FolderRecorder,
    shown: Path,
    reason: str | None,
    command: str,
    remarks: tuple[str, ...] = (),
    unrecorded: str | None = None,
) -> Closing:
    """What is to be said of a session.

    Args:
        recorder: of the session.
        shown: path of the run as the user gave it.
        reason: why it stopped; None if it did not.
        command: how to go on.
        remarks: further lines.
        unrecorded: what of the dataset is not written, and why; None: nothing.
    """
    lines = [*_errors(recorder, shown), *_noticed(recorder), *_videos(recorder), *remarks]
    if unrecorded is not None:
        lines.append(f"simpler-eval: {unrecorded}")
    if reason is not None:
        lines.append(f"simpler-eval: {reason}.")
    if reason is not None or any(record.status == "errored" for record in recorder.folder.records.values()):
        lines += ["When the cause is mended, go on with:", f"  {command}"]
    return Closing(tuple(lines), reason, bool(recorder.unfilmed) or unrecorded is not None)


def _errors(recorder: FolderRecorder, shown: Path) -> Iterator[str]:
    folder = recorder.folder
    errored = [record for record in folder.records.values() if record.status == "errored"]
    if not errored:
        return
    first = next((seen.fault.traceback for seen in recorder.faults.lost.values() if seen.fault.traceback), "")
    if first:
        yield "simpler-eval: the first fault in full:"
        yield from (f"  {line}" for line in first.splitlines()[-TRACEBACK_LINES:])
    total = len(folder.plan) * folder.header.repeats
    where = f", in full in {shown / FILE}" if recorder.faults.path.exists() else ""
    have = "episode has" if len(errored) == 1 else "episodes have"
    yield f"simpler-eval: {len(errored)} of {total} {have} no verdict{where}:"
    yield from (f"  {line}" for line in error_lines(error_counts(errored)))


def _noticed(recorder: FolderRecorder) -> Iterator[str]:
    """Faults that cost no verdict. Of batches only those whose episodes went well when they were asked alone."""
    for seen in recorder.faults.noticed.values():
        often = times(seen.count)
        if seen.where in ("end()", PREPARING):
            yield f"simpler-eval: {seen.where} failed {often}, which costs no verdict: {seen.fault.text} (see {FILE})"
        elif seen.where == KEPT_IMAGE:
            yield f"simpler-eval: {seen.fault.text}"
        elif seen.fault.place not in recorder.faults.lost:
            yield (
                f"simpler-eval: {seen.where} failed {often}, though not when its episodes were asked one by one: "
                f"{seen.fault.text} (see {FILE})"
            )


def _videos(recorder: FolderRecorder) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for record in recorder.unfilmed:
        text = record.video_error or ""
        reasons.setdefault(kind_of(text), []).append(text)
    for texts in reasons.values():
        yield f"simpler-eval: {_videos_count(len(texts))} not written: {texts[0]}"
    for problem, count in recorder.videos.incomplete.items():
        yield f"simpler-eval: {_videos_count(count)} not all that was asked for: {problem}"


def _videos_count(count: int) -> str:
    return "1 video is" if count == 1 else f"{count} videos are"
