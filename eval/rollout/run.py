"""``eval.run``: a plan and a policy in, a finished run folder out."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal, TypedDict, Unpack

from eval.assets.options import chosen_assets
from eval.backends.base import Backend
from eval.backends.selection import OWN, find_backend
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.given import Text, Texts, absolute, text_of, working_folder
from eval.plan.shards import take_shard
from eval.records.folder import RunData, RunFolder, load_run
from eval.records.header import Course
from eval.records.options import PolicyArgument, RunOptions
from eval.records.results import EpisodeRecord
from eval.records.turns import turns_of
from eval.records.videos import VideoRule
from eval.rollout.arguments import called_with, episodes_of, options_of
from eval.rollout.closing import Closing
from eval.rollout.course import course_of
from eval.rollout.header import new_header as new_header
from eval.rollout.header import shard_record, user_tasks_of
from eval.rollout.interrupts import Interrupts
from eval.rollout.loop import Rollout
from eval.rollout.play import info_of
from eval.rollout.policy_calls import PolicyCalls, PolicyNeeds, preferred_batch
from eval.rollout.policy_watch import PolicyWatch, Status
from eval.rollout.pool import WorkerSettings
from eval.rollout.recorder import FolderRecorder, Listener
from eval.rollout.session import ActiveRun
from eval.rollout.stopping import StopRule
from policies.base import Policy

OnStart = Callable[[Path, list[EpisodeRecord]], None]
"""Called with the folder and what is already done, once the input is known to be usable."""


class RunKeywords(TypedDict, total=False):
    """Fields of :class:`RunOptions` as keywords of :func:`run`."""

    policy_args: Mapping[str, PolicyArgument | Path] | None
    assets: Texts | None
    assets_fallback: bool
    workers: int | None
    per_worker: int | None
    batch: int | None
    video: str
    watchdog: float
    render_device: str | None
    repeat: int
    no_actions: bool
    stop_after: int
    fail_on_error: bool
    policy_changed: bool
    success: Literal["last", "any"]
    retry_errored: bool
    partial: bool
    rt: str
    world: Text | ModuleType
    world_python: Text | None


class RunArguments(RunKeywords, total=False):
    """All keywords of :func:`run`."""

    out: Text | None
    shard: str | None
    on_start: OnStart | None
    listener: Listener | None


def default_out(policy: str) -> Path:
    """A new folder ``results/<date>-<policy>``; a number is added if it exists."""
    name = re.sub(r"[^\w.-]+", "_", policy).strip("_")
    stem = Path("results") / f"{datetime.datetime.now():%Y-%m-%d_%H%M%S}-{name}"
    path, number = stem, 2
    while path.exists():
        path, number = stem.with_name(f"{stem.name}-{number}"), number + 1
    return path


def run(
    plan: Sequence[EpisodeSpec],
    policy: Text | Policy = "oracle",
    *,
    out: Text | None = None,
    shard: str | None = None,
    on_start: OnStart | None = None,
    listener: Listener | None = None,
    **options: Unpack[RunKeywords],
) -> RunData:
    """Play a plan, or what is left of it, and write its tables.

    Args:
        plan: the episodes, as from ``eval.make_plan``.
        policy: a name that :func:`policies.registry.load_policy` knows, or an object (which the caller closes).
        out: folder of the run; one that holds a part of the same run continues it. Default: a new one under results/.
        shard: such as ``"2/8"``, plays only that part of the plan.
        on_start: called with the folder and what is already done, once the input is known to be usable.
        listener: called with every new record.
        options: the fields of :class:`eval.records.options.RunOptions` but ``policy``. Values of ``policy_args`` reach the
            policy as they are; ``world`` may also be a module as described in :mod:`eval.backends.base`.

    Returns:
        The run as read from disk. ``header.sessions[-1].outcome`` says whether it was played to its end or stopped because
        the policy failed again and again; why is on stderr and in ``errors.log``. Relative paths are made absolute here:
        what becomes of the working folder later does not matter.

    Raises:
        EpisodesErrored: with ``fail_on_error``, if an episode has no verdict. Without, it is recorded as errored, and the
            tables count it (:meth:`RunData.raise_errors`).
        UserError: what the caller can fix. ``KeyboardInterrupt`` passes through; what was finished before is on disk in
            both cases.
    """
    episodes = episodes_of(plan)
    given, player = options_of(policy, options)
    given.check_for(episodes)
    called_with(on_start, "on_start")
    called_with(listener, "listener")
    session = Session(None if out is None else Path(absolute(text_of(out, "out"))), shard, on_start, listener)
    data = play(episodes, given, player, session)
    if given.fail_on_error:
        data.raise_errors()
    return data


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


def play(
    plan: Sequence[EpisodeSpec], options: RunOptions, player: Policy | None = None, session: Session | None = None
) -> RunData:
    """:func:`run` with its options as an object.

    Args:
        plan: the whole plan, whatever the shard.
        options: how it is played.
        player: the policy; None: it is made of ``options.policy`` and ``options.policy_args``, and closed afterwards.
        session: folder, shard and listeners.

    Returns:
        The finished run as read from disk.

    Raises:
        UserError: as of :func:`run`.
    """
    session = session or Session()
    here = working_folder()
    if not plan:
        raise UserError("The plan has no episodes; loosen --task, --suite, --limit or --sample.")
    rule = VideoRule.parse(options.video)
    if options.world == OWN:
        options = options.model_copy(update={"assets": chosen_assets(options.assets)})  # so that --resume finds the same
    elif options.assets:
        options = options.model_copy(update={"assets": _absolute_if_there(options.assets)})
    part = take_shard(plan, session.shard) if session.shard else plan
    backend = find_backend_of(options, part)  # before a model is loaded: that may take minutes
    given = session.out or default_out(options.policy)
    out = given.absolute()  # a policy may change the working folder
    gpu = backend.render_device if (backend.render_device or "").startswith("cuda") else None  # the policy's, too
    with Interrupts() as interrupts, PolicyCalls(interrupts, player) as calls:
        active = ActiveRun(calls, given, player is None, session.on_end or _print_closing)
        with PolicyWatch(calls, options.watchdog, session.status, active.last_words):
            loaded = calls.make(options.policy, options.policy_args, gpu) if player is None else calls.require(options.policy)
            try:
                calls.check_episodes(options.policy, [info_of(turn) for turn in turns_of(part, options.repeat)])
                description = calls.describe(options.policy, options.policy_args)
                header = new_header(part, options, loaded, backend.identity, description, here)
                if session.shard is not None:
                    header = header.model_copy(update={"shard": shard_record(plan, session.shard, options)})
                with RunFolder(out, part, header) as folder:
                    folder.keep_tasks(user_tasks_of(part))
                    recorder = FolderRecorder(folder, rule, session.listener, not options.no_actions)
                    left = folder.open_episodes(options.retry_errored)
                    if session.on_start is not None:
                        replayed = {turn.key for turn in left}
                        session.on_start(given, [r for key, r in folder.records.items() if key not in replayed])
                    course = _course(folder, options, backend, loaded, len(left), session)
                    settings = WorkerSettings(backend, course.workers, options.watchdog, course.per_worker)
                    stopping = StopRule(options.stop_after, options.fail_on_error)
                    active.play(Rollout(left, calls, settings, recorder, stopping, course.batch), recorder)
            finally:
                if player is None and (fault := calls.close()):  # after the last result: it costs a line, not the table
                    _print(f"simpler-eval: close() of {options.policy} failed: {fault.text}")
    return load_run(out)


def _course(folder: RunFolder, options: RunOptions, backend: Backend, player: Policy, left: int, session: Session) -> Course:
    """How the session plays, recorded and told."""
    *earlier, current = folder.header.sessions
    before = next((one.course for one in reversed(earlier) if one.course is not None), None)
    course = course_of(options, backend, PolicyNeeds.of(player), preferred_batch(player), left, before)
    if left:
        now = current.model_copy(update={"course": course})
        folder.write_header(folder.header.model_copy(update={"sessions": (*earlier, now)}))
        if session.on_course is not None:
            session.on_course(course, before)
    return course


def _absolute_if_there(assets: str) -> str:
    """What a user's world makes of ``assets`` is its own matter; folders stay the same ones all the same."""
    return ",".join(absolute(part) if os.path.exists(part) else part for part in assets.split(","))


def _print_closing(closing: Closing) -> None:
    for line in closing.lines:
        _print(line)


def _print(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        print(line, file=sys.stderr)


def find_backend_of(options: RunOptions, plan: Sequence[EpisodeSpec]) -> Backend:
    """How the world of these options is reached. Raises UserError if it cannot play the plan here."""
    return find_backend(options.world, options.world_python, options.packs, options.rt, plan, options.render_device)
