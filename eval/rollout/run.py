"""``eval.run``: a plan and a policy in, a finished run folder out."""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from eval.assets.options import chosen_assets
from eval.backends.base import Backend
from eval.backends.selection import OWN, find_backend
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.plan.shards import parse_shard, take_shard
from eval.records.folder import RunData, RunFolder, load_run, plan_hash
from eval.records.header import Rendered, RunHeader, RunIdentity, ShardRecord, WorldIdentity
from eval.records.options import RunOptions
from eval.records.provenance import new_session
from eval.records.results import EpisodeRecord
from eval.records.tables import write_tables
from eval.records.videos import VideoRule
from eval.rollout.loop import Rollout
from eval.rollout.play import PolicyNeeds, episode_info
from eval.rollout.pool import WorkerSettings
from eval.rollout.recorder import FolderRecorder, Listener
from eval.tasks.loading import user_task_text
from policies.base import Policy
from policies.registry import (
    PolicyDescriptionError,
    check_episodes,
    class_name,
    describe,
    load_policy,
    one_line,
    require_policy,
)

OnStart = Callable[[Path, list[EpisodeRecord]], None]
"""Called with the folder and what is already done, once the input is known to be usable."""


class RunKeywords(TypedDict, total=False):
    """Fields of :class:`RunOptions` as keywords of :func:`run`."""

    policy_args: Mapping[str, str] | None
    assets: str | None
    assets_fallback: bool
    workers: int | None
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
    world: str
    world_python: str | None


class RunArguments(RunKeywords, total=False):
    """All keywords of :func:`run`."""

    out: Path | str | None
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


def default_workers(episodes: int) -> int:
    """One a core this process may use, never more than there are episodes."""
    return max(1, min(len(os.sched_getaffinity(0)), episodes))


def run(
    plan: Sequence[EpisodeSpec],
    policy: str | Policy = "oracle",
    *,
    out: Path | str | None = None,
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
        options: the fields of :class:`eval.records.options.RunOptions` but ``policy``. ``world`` may also be a module as
            described in :mod:`eval.backends.base`.

    Returns:
        The finished run as read from disk.

    Raises:
        UserError: what the caller can fix. ``KeyboardInterrupt`` passes through; what was finished before is on disk in
            both cases.
    """
    name = policy if isinstance(policy, str) else class_name(policy)
    given: dict[str, object] = {**options, "policy": name}
    given["policy_args"] = {key: str(value) for key, value in (options.get("policy_args") or {}).items()}
    checked = RunOptions.of(given)
    checked.check_for(plan)
    session = Session(None if out is None else Path(out), shard, on_start, listener)
    return play(plan, checked, None if isinstance(policy, str) else policy, session)


@dataclass(frozen=True)
class Session:
    """What one call adds to a plan and its options; see :func:`run`."""

    out: Path | None = None
    shard: str | None = None
    on_start: OnStart | None = None
    listener: Listener | None = None


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
    if not plan:
        raise UserError("The plan has no episodes; loosen --task, --suite, --limit or --sample.")
    if options.workers is not None and options.workers < 1:
        raise UserError(f"--workers {options.workers} is not possible; give 1 or more.")
    rule = VideoRule.parse(options.video)
    if options.world == OWN:
        options = options.model_copy(update={"assets": chosen_assets(options.assets)})  # so that --resume finds the same
    part = take_shard(plan, session.shard) if session.shard else plan
    backend = find_backend_of(options, part)  # before a model is loaded: that may take minutes
    given = session.out or default_out(options.policy)
    out = given.absolute()  # a policy may change the working folder
    loaded = load_policy(options.policy, options.policy_args) if player is None else require_policy(player, options.policy)
    try:
        check_episodes(loaded, [episode_info(spec) for spec in part])
        shard = None if session.shard is None else _shard_record(plan, session.shard, options)
        header = new_header(part, options, loaded, backend.identity).model_copy(update={"shard": shard})
        with RunFolder(out, part, header) as folder:
            folder.keep_tasks(_user_tasks(part))
            recorder = FolderRecorder(folder, rule, session.listener)
            left = folder.open_episodes(options.retry_errored)
            if session.on_start is not None:
                session.on_start(given, list(folder.records.values()))
            settings = WorkerSettings(backend, options.workers or default_workers(len(left)), options.watchdog)
            _play(Rollout(left, loaded, settings, recorder), recorder)
    finally:
        if player is None:
            _close(loaded, options.policy)
    return load_run(given if given.absolute() == out else out)


def _close(policy: Policy, name: str) -> None:
    """A fault here comes after the last result: it costs a line, not the table."""
    try:
        policy.close()
    except (Exception, SystemExit) as error:
        print(f"simpler-eval: close() of {name} failed: {one_line(error)}", file=sys.stderr)


def find_backend_of(options: RunOptions, plan: Sequence[EpisodeSpec]) -> Backend:
    """How the world of these options is reached. Raises UserError if it cannot play the plan here."""
    return find_backend(options.world, options.world_python, options.packs, options.rt, plan)


def new_header(plan: Sequence[EpisodeSpec], options: RunOptions, player: Policy, world: WorldIdentity) -> RunHeader:
    """``run.json`` as a run of these episodes begins.

    Args:
        plan: what is played.
        options: how.
        player: by whom.
        world: where.

    Raises:
        UserError: the policy does not describe itself properly, or the files of the plan cannot be read.
    """
    description = describe(player, options.policy, options.policy_args)
    if not PolicyNeeds.of(player).image:
        world = world.model_copy(update={"rendering": None})  # what nobody looks at decides nothing
    return RunHeader(
        identity=RunIdentity(
            world=world,
            assets=_assets_identity(plan, options),
            tasks={name: _digest(text) for name, text in _user_tasks(plan).items()},
            policy=description.identity,
        ),
        policy=description,
        options=options,
        sessions=(new_session(options).model_copy(update={"policy_code": description.code}),),
        rendered=_rendered(player, VideoRule.parse(options.video)),
        plan_hash=plan_hash(plan),
        episodes=len(plan),
        seeds=tuple(sorted({spec.seed for spec in plan})),
    )


def _assets_identity(plan: Sequence[EpisodeSpec], options: RunOptions) -> str | None:
    """Digest of the files that our own world would load; other worlds read files of their own."""
    if options.world != OWN:
        return None
    from eval.assets.identity import assets_identity

    return assets_identity(plan, options.packs)


def _shard_record(plan: Sequence[EpisodeSpec], shard: str, options: RunOptions) -> ShardRecord:
    number, of = parse_shard(shard)
    assets = _assets_identity(plan, options)
    return ShardRecord(shard=f"{number}/{of}", episodes=len(plan), plan_hash=plan_hash(plan), assets=assets)


def _user_tasks(plan: Sequence[EpisodeSpec]) -> dict[str, str]:
    """Text of every task file of the user's that the plan was made with, by name."""
    return {task: text for task in sorted({spec.task for spec in plan}) if (text := user_task_text(task)) is not None}


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _rendered(player: Policy, videos: VideoRule) -> Rendered:
    """Of which episodes images are rendered: a policy that needs none is played without."""
    if PolicyNeeds.of(player).image:
        return "all episodes"
    return "nothing" if videos.kind == "none" else "filmed episodes"


def _play(rollout: Rollout, recorder: FolderRecorder) -> None:
    """Play to the end, or until something stops it; videos, record and tables are completed in both cases."""
    folder = recorder.folder
    options = folder.header.options
    try:
        rollout.play()
    finally:
        recorder.drain()  # of a stopped run too: these episodes are played, only their videos are on the way
        recorder.videos.close()
        stopped = sys.exception() is not None
        try:
            _describe_again(rollout.policy, folder)
            write_tables(RunData(folder.path, folder.header, folder.plan, dict(folder.records)), options.partial)
        except UserError:
            if not stopped:  # otherwise what stopped the run matters more
                raise


def _describe_again(policy: Policy, folder: RunFolder) -> None:
    """Record what the policy counted meanwhile; one that can no longer describe itself keeps its first description."""
    options = folder.header.options
    try:
        description = describe(policy, options.policy, options.policy_args)
    except PolicyDescriptionError:
        return
    folder.write_header(folder.header.model_copy(update={"policy": description}))
