"""A run's input, and what becomes of it before the first episode."""

from __future__ import annotations

import contextlib
import datetime
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.episode import EpisodeSpec
from eval.records.escaping import visible
from eval.records.folder import RunFolder
from eval.records.header import Course, WorldIdentity
from eval.records.options import RunOptions
from eval.records.results import EpisodeRecord
from eval.records.turns import Turn
from eval.records.videos import VideoRule
from eval.rollout.closing import Closing
from eval.rollout.course import course_before
from eval.rollout.header import new_header, shard_record, user_tasks_of
from eval.rollout.policy_calls import PolicyNeeds
from eval.rollout.policy_watch import Status
from eval.rollout.recorder import FolderRecorder, Listener
from eval.rollout.recordings import check_codec
from eval.rollout.stopping import StopRule
from policies.base import PolicyDescription

OnStart = Callable[[Path, list[EpisodeRecord]], None]
"""Called with the folder and what is already done, once the input is known to be usable."""


def default_out(policy: str) -> Path:
    """A new folder ``results/<date>-<policy>``; a number is added if it exists."""
    name = re.sub(r"[^\w.-]+", "_", policy).strip("_")
    stem = Path("results") / f"{datetime.datetime.now():%Y-%m-%d_%H%M%S}-{name}"
    path, number = stem, 2
    while path.exists():
        path, number = stem.with_name(f"{stem.name}-{number}"), number + 1
    return path


@dataclass(frozen=True)
class Session:
    """What one call adds to a plan and its options; see :func:`run`."""

    out: Path | None = None
    shard: str | None = None
    on_start: OnStart | None = None
    listener: Listener | None = None
    status: Status | None = None
    """Told what the run waits for, where it waits for long."""
    on_end: Callable[[Closing], None] | None = None
    """Told what is to be said at the end; None: it is printed on stderr."""
    on_course: Callable[[Course, Course | None], None] | None = None
    """Told how it is played, and how the session before was, before the workers start."""
    on_replicas: Callable[[str], None] | None = None
    """Told a line about the replicas of the policy, if there are any: which there are, and which was lost."""
    on_remark: Callable[[str], None] | None = None
    """Told a line about what costs no result; None: it is printed on stderr."""
    go_on: str | None = None
    """The command that continues the run, where it is a part of something larger; None: ``run --resume`` or ``eval.run``."""


class Work:
    """A run's input, and what becomes of it before the first episode, however it is played."""

    def __init__(
        self,
        plan: Sequence[EpisodeSpec],
        part: Sequence[EpisodeSpec],
        options: RunOptions,
        session: Session,
        here: str | None,
    ) -> None:
        self.plan, self.part, self.options, self.session, self.here = plan, part, options, session, here
        self.stopping = StopRule(options.stop_after, options.fail_on_error)
        """When it stops before its end."""
        self.given = session.out or default_out(options.policy)
        self.out = self.given.absolute()  # a policy may change the working folder

    def folder(self, needs: PolicyNeeds, world: WorldIdentity, description: PolicyDescription, code: str | None) -> RunFolder:
        """The run folder, new or continued."""
        header = new_header(self.part, self.options, needs, world, description, self.here, code)
        if self.session.shard is not None:
            header = header.model_copy(update={"shard": shard_record(self.plan, self.session.shard, self.options)})
        check_codec(self.options, self.out)
        return RunFolder(self.out, self.part, header)

    def begin(self, folder: RunFolder) -> tuple[FolderRecorder, list[Turn]]:
        """Who keeps what is played, and what is still to be played."""
        folder.keep_tasks(user_tasks_of(self.part))
        rule = VideoRule.parse(self.options.video)
        options, listener = self.options, self.session.listener
        recorder = FolderRecorder(folder, rule, listener, not options.no_actions, options.record, options.keep, self.stopping)
        left = folder.open_episodes(self.options.retry_errored, recorder.is_incomplete)
        replayed = {turn.key for turn in left}
        before = [record for key, record in folder.records.items() if key not in replayed]
        if self.session.on_start is not None:
            self.session.on_start(self.given, before)
        for line in recorder.too_late_for(before):
            (self.session.on_remark or print_line)(f"simpler-eval: {line}")
        return recorder, left

    def tell_course(self, folder: RunFolder, course: Course) -> None:
        """Record and say how the session plays."""
        *earlier, current = folder.header.sessions
        before = course_before(folder.header)
        now = current.model_copy(update={"course": course})
        folder.write_header(folder.header.model_copy(update={"sessions": (*earlier, now)}))
        if self.session.on_course is not None:
            self.session.on_course(course, before)


def print_line(line: str) -> None:
    """On stderr."""
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        print(visible(line), file=sys.stderr)
