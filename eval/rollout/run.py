"""``eval.run``: a plan and a policy in, a finished run folder out."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Literal, TypedDict, Unpack

from eval.assets.options import chosen_assets
from eval.backends.base import Backend
from eval.backends.selection import OWN, find_backend
from eval.episode import EpisodeSpec
from eval.given import Text, Texts, absolute, text_of, working_folder
from eval.plan.shards import take_shard
from eval.records.code import shipped_code_hash
from eval.records.folder import RunData, load_run
from eval.records.options import PolicyArgument, RunOptions
from eval.records.results import EpisodeRecord
from eval.records.turns import turns_of
from eval.rollout.arguments import called_with, episodes_of, options_of
from eval.rollout.checks import check_packages, check_words
from eval.rollout.closing import Closing
from eval.rollout.course import course_before, course_of
from eval.rollout.header import new_header as new_header
from eval.rollout.interrupts import Interrupts
from eval.rollout.loop import Rollout
from eval.rollout.play import info_of
from eval.rollout.policy_calls import PolicyCalls, PolicyNeeds, preferred_batch
from eval.rollout.policy_closing import say_of
from eval.rollout.policy_watch import PolicyWatch
from eval.rollout.pool import WorkerSettings
from eval.rollout.recorder import Listener
from eval.rollout.replicas.head import Head
from eval.rollout.replicas.opening import open_team
from eval.rollout.replicas.placement import Placement, placements
from eval.rollout.replicas.staff import Staff, StaffCalls
from eval.rollout.scheduling import traced_share
from eval.rollout.session import ActiveRun
from eval.rollout.work import OnStart, Work, print_line
from eval.rollout.work import Session as Session
from eval.rollout.work import default_out as default_out
from eval.sinks.evaluation import EvaluationReport
from policies.base import Policy


class RunKeywords(TypedDict, total=False):
    """Fields of :class:`RunOptions` as keywords of :func:`run`."""

    policy_args: Mapping[str, PolicyArgument | Path] | None
    assets: Texts | None
    assets_fallback: bool
    workers: int | None
    gpus: int | None
    replicas: int | None
    cluster: Text | None
    per_worker: int | None
    batch: int | None
    video: str
    record: Literal["none", "lerobot", "lerobot-lossless"]
    keep: Literal["all", "successes"]
    report_to: Literal["none", "wandb", "trackio"]
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
        the policy failed again and again, or the disk was full; why is on stderr and in ``errors.log``. Relative paths are
        made absolute here: what becomes of the working folder later does not matter.

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
    part = None if shard is None else text_of(shard, "shard")
    session = Session(None if out is None else Path(absolute(text_of(out, "out"))), part, on_start, listener)
    data = play(episodes, given, player, session)
    if given.fail_on_error:
        data.raise_errors()
    return data


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
    work, backend, places = _prepared(plan, options, player, session, working_folder())
    if options.report_to == "none":
        return _play(work, backend, places, player)
    with EvaluationReport(options.report_to, session.on_remark or print_line) as report:
        work.session = _reported(session, report)
        return _play(work, backend, places, player)


def check_run(
    plan: Sequence[EpisodeSpec], options: RunOptions, out: Path | None = None, later: Collection[str] | None = None
) -> None:
    """Refuse what :func:`play` refuses before it makes the policy, for whoever makes it on his own or plays several runs.

    Args:
        plan: the episodes.
        options: how they are played.
        out: folder of the run, if there is one alone.
        later: options that the policy gets besides, another value in every run; None: it gets none.

    Raises:
        UserError: an option cannot be used, or a package is missing.
    """
    _prepared(plan, options, None, Session(out), working_folder(), later)


def _prepared(
    plan: Sequence[EpisodeSpec],
    options: RunOptions,
    player: Policy | None,
    session: Session,
    here: str | None,
    later: Collection[str] | None = None,
) -> tuple[Work, Backend | None, Sequence[Placement]]:
    """All that is known before the policy is made; the world is None where replicas on other machines play."""
    if options.world == OWN:
        options = options.model_copy(update={"assets": chosen_assets(options.assets)})  # so that --resume finds the same
    elif options.assets:
        options = options.model_copy(update={"assets": _absolute_if_there(options.assets)})
    check_words(plan, options, player, session.out, later)
    part = take_shard(plan, session.shard) if session.shard else plan
    work = Work(plan, part, options, session, here)
    places = placements(options, player is None, len(part) * options.repeat)
    backend = None if options.cluster is not None else find_backend_of(options, part)
    check_packages(options)
    return work, backend, places


def _reported(session: Session, report: EvaluationReport) -> Session:
    """The same, with a tracker that is told, too."""

    def started(path: Path, before: list[EpisodeRecord]) -> None:
        report.begun(path, before)
        if session.on_start is not None:
            session.on_start(path, before)

    def ended(record: EpisodeRecord) -> None:
        report.episode(record)
        if session.listener is not None:
            session.listener(record)

    return replace(session, on_start=started, listener=ended)


def _play(work: Work, backend: Backend | None, places: Sequence[Placement], player: Policy | None) -> RunData:
    if backend is None or places:
        return _play_with_replicas(work, places)
    options, part, session = work.options, work.part, work.session
    gpu = backend.render_device if (backend.render_device or "").startswith("cuda") else None  # the policy's, too
    with Interrupts() as interrupts, PolicyCalls(interrupts, player) as calls:
        active = ActiveRun(calls, work.given, player is None, session.on_end or _print_closing, session.go_on)
        with PolicyWatch(calls, options.watchdog, session.status, active.last_words):
            loaded = calls.make(options.policy, options.policy_args, gpu) if player is None else calls.require(options.policy)
            try:
                calls.check_episodes(options.policy, [info_of(turn) for turn in turns_of(part, options.repeat)])
                description = calls.describe(options.policy, options.policy_args)
                code = shipped_code_hash(loaded)
                with work.folder(PolicyNeeds.of(loaded), backend.identity, description, code) as folder:
                    recorder, left = work.begin(folder)
                    before = course_before(folder.header)
                    needs, preferred = PolicyNeeds.of(loaded), preferred_batch(loaded)
                    traced = traced_share(turn.spec for turn in left)
                    course = course_of(options, backend, needs, preferred, len(left), before, traced)
                    if left:
                        work.tell_course(folder, course)
                    settings = WorkerSettings(backend, course.workers, options.watchdog, course.per_worker, course.tracing)
                    active.play(Rollout(left, calls, settings, recorder, work.stopping, course.batch), recorder)
            finally:
                if player is None:  # after the last result: it costs a line, not the table
                    say_of(calls.close(), options.policy)
    return load_run(work.out)


def _play_with_replicas(work: Work, places: Sequence[Placement]) -> RunData:
    """The same with several policies in processes of their own; see :mod:`eval.rollout.replicas`."""
    options = work.options
    with Interrupts() as interrupts, open_team(options, work.part, places, work.here) as team:
        staff = Staff(team, work.session.status, work.session.on_replicas)
        first = staff.wait()
        with work.folder(first.needs, first.world, first.description, first.code) as folder:
            staff.expect_assets(folder.header.identity.assets)
            recorder, left = work.begin(folder)
            if left:
                staff.introduce()
            active = ActiveRun(
                StaffCalls(interrupts, staff), work.given, True, work.session.on_end or _print_closing, work.session.go_on
            )
            head = Head(left, staff, recorder, work.stopping, interrupts, lambda course: work.tell_course(folder, course))
            active.play(head, recorder)
    return load_run(work.out)


def _absolute_if_there(assets: str) -> str:
    """What a user's world makes of ``assets`` is its own matter; folders stay the same ones all the same."""
    return ",".join(absolute(part) if os.path.exists(part) else part for part in assets.split(","))


def _print_closing(closing: Closing) -> None:
    for line in closing.lines:
        print_line(line)


def find_backend_of(options: RunOptions, plan: Sequence[EpisodeSpec]) -> Backend:
    """How the world of these options is reached. Raises UserError if it cannot play the plan here."""
    return find_backend(options.world, options.world_python, options.packs, options.rt, plan, options.render_device)
