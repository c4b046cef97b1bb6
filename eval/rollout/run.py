"""``eval.run``: a plan and a policy in, a finished run folder out."""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.backends.selection import OWN, find_backend
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.plan.shards import shard_record, take_shard
from eval.records.folder import RunData, RunFolder, load_run, plan_hash
from eval.records.header import WorldIdentity, WorldRecord
from eval.records.provenance import provenance
from eval.records.results import EpisodeRecord
from eval.records.tables import write_tables
from eval.records.videos import Film, VideoQueue, VideoRule
from eval.records.worlds import merge_worlds
from eval.rollout.loop import Rollout
from eval.rollout.play import Finished
from eval.rollout.pool import WorkerSettings
from eval.tasks.loading import user_task_text
from policies.base import Policy
from policies.registry import load_policy

WATCHDOG_SECONDS = 300.0

Listener = Callable[[EpisodeRecord], None]
"""Called with every record as it becomes durable."""


class FolderRecorder:
    """Keeps what a rollout produces: records and world in the run folder, videos through the encoder."""

    def __init__(self, folder: RunFolder, videos: VideoRule, listener: Listener | None) -> None:
        self.folder, self.rule, self.listener = folder, videos, listener
        self.filmed = videos.film(folder.plan)
        self.videos = VideoQueue(folder.path)

    def wants_film(self, spec: EpisodeSpec) -> bool:
        """Whether the pictures of this episode may be needed when it ends."""
        return spec.id in self.filmed

    def wants_policy_view(self) -> bool:
        """Whether a film shows what the policy noted, too."""
        return self.rule.policy_view

    def world(self, record: WorldRecord) -> None:
        """Complete ``run.json`` with what only a worker knows; stand-ins of all scenes are gathered."""
        before = self.folder.header.get("world")
        merged = merge_worlds(before, _world_header(record))
        if merged != before:
            self.folder.write_header({**self.folder.header, "world": merged})

    def finished(self, episode: Finished) -> None:
        """Make the episode durable, after its video if it gets one."""
        if episode.frames is not None and self.rule.keep(episode.record):
            self.videos.submit(Film(episode.spec, episode.record, episode.frames, episode.flags, episode.notes))
        else:
            self._append(episode.record)

    def tick(self) -> None:
        """Take in the videos that are done."""
        for record in self.videos.collect():
            self._append(record)

    def drain(self) -> None:
        """Wait for the videos that are not."""
        for record in self.videos.collect(wait=True):
            self._append(record)

    def _append(self, record: EpisodeRecord) -> None:
        self.folder.append(record)
        if self.listener is not None:
            self.listener(record)


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
    policy_args: Mapping[str, str] | None = None,
    out: Path | None = None,
    assets: str | None = None,
    workers: int | None = None,
    video: str = "none",
    watchdog: float = WATCHDOG_SECONDS,
    retry_errored: bool = False,
    partial: bool = False,
    shard: str | None = None,
    rt: str = "auto",
    world: str = OWN,
    world_python: str | None = None,
    on_start: Callable[[Path, list[EpisodeRecord]], None] | None = None,
    listener: Listener | None = None,
) -> RunData:
    """Play a plan, or what is left of it, and write its tables.

    ``policy`` is a name that :func:`policies.registry.load_policy` knows, or an object (which the caller closes);
    ``policy_args`` go to its constructor. ``assets`` are pack folders separated by commas, None for the built-in
    stand-ins. ``out`` holding a part of the same run continues it. ``watchdog`` are the seconds a simulator process
    may be silent. ``shard``, such as ``"2/8"``, plays only that part of the plan. ``rt`` says how the episodes are
    drawn for which the original traces rays: ``trace``, ``raster``, or ``auto`` (trace where a GPU draws). ``on_start``
    is told the folder and what is already done, once the input is known to be usable; ``listener`` every new record.
    ``world`` is ``simpler-eval``, ``simpler-env`` (the original simulator, in the interpreter ``world_python``) or a module
    as described in :mod:`eval.backends.base`.

    Raises ``UserError`` for what the caller can mend, and lets ``KeyboardInterrupt`` through; what was finished before
    is on disk in both cases.
    """
    if not plan:
        raise UserError("The plan has no episodes; loosen --task, --suite, --limit or --sample.")
    if workers is not None and workers < 1:
        raise UserError(f"--workers {workers} is not possible; give 1 or more.")
    rule = VideoRule.parse(video)
    whole = plan
    if shard is not None:
        plan = take_shard(whole, shard)
    backend = find_backend(world, world_python, assets, rt, plan)  # before a model is loaded: that may take minutes
    name = policy if isinstance(policy, str) else f"{type(policy).__module__}:{type(policy).__qualname__}"
    player = load_policy(policy, policy_args or {}) if isinstance(policy, str) else policy
    options = {"workers": workers, "video": video, "watchdog": watchdog, "rt": rt, "world_python": world_python}
    own = {task: text for task in sorted({spec.task for spec in plan}) if (text := user_task_text(task)) is not None}
    header = _header(plan, name, policy_args or {}, assets, player, options, own)
    header["identity"] |= _world_identity(backend.identity)
    header["drawn"] = _drawn(player, rule)
    if shard is not None:
        header["shard"] = shard_record(whole, shard, plan_hash(whole))
    try:
        with RunFolder(out or default_out(name), plan, header) as folder:
            folder.keep_tasks(own)
            recorder = FolderRecorder(folder, rule, listener)
            left = folder.open_episodes(retry_errored)
            if on_start is not None:
                on_start(folder.path, list(folder.records.values()))
            settings = WorkerSettings(backend, workers or default_workers(len(left)), watchdog)
            _play(Rollout(left, player, settings, recorder), recorder, partial)
    finally:
        if isinstance(policy, str):
            player.close()
    return load_run(folder.path)


def _world_identity(identity: WorldIdentity) -> dict[str, Any]:
    """As ``run.json`` of version 1 has it: nothing for our own world."""
    return {} if identity.name == OWN else {"world": {"name": identity.name, **identity.versions}}


def _world_header(record: WorldRecord) -> dict[str, Any]:
    """As ``run.json`` of version 1 has it."""
    found = record.model_dump(mode="json", exclude_none=True)
    if record.assets is not None:
        assets = record.assets.model_dump(mode="json")
        found["assets"] = {"standins" if key == "stand_ins" else key: value for key, value in assets.items()}
    if "rendering" in found:
        found["drawing"] = found.pop("rendering")
    return found


def _drawn(player: Policy, videos: VideoRule) -> str:
    """Which episodes are drawn at all: a policy that needs no picture runs without."""
    if getattr(player, "needs_image", True):
        return "all episodes"
    return "nothing" if videos.kind == "none" else "filmed episodes"


def _header(
    plan: Sequence[EpisodeSpec],
    policy: str,
    policy_args: Mapping[str, str],
    assets: str | None,
    player: Policy,
    options: Mapping[str, Any],
    own_tasks: Mapping[str, str],
) -> dict[str, Any]:
    """``run.json`` as the run begins. A run is not continued with another ``identity``."""
    described = dict(player.describe())
    identity = {"policy": policy, "policy_args": dict(policy_args), "assets": assets}
    if "fingerprint" in described:
        identity["fingerprint"] = described["fingerprint"]
    if own_tasks:
        digests = {name: hashlib.blake2b(text.encode(), digest_size=8).hexdigest() for name, text in own_tasks.items()}
        identity["tasks"] = digests
    return {
        "identity": identity,
        "policy": described,
        "seeds": sorted({spec.seed for spec in plan}),
        "options": options,
        "sessions": [provenance() | {"options": options}],
    }


def _play(rollout: Rollout, recorder: FolderRecorder, partial: bool) -> None:
    """Play to the end, or until something stops it; videos, record and tables are completed in both cases."""
    folder = recorder.folder
    try:
        rollout.play()
    finally:
        recorder.drain()  # of a stopped run too: these episodes are played, only their videos are on the way
        recorder.videos.close()
        stopped = sys.exception() is not None
        try:
            folder.write_header({**folder.header, "policy": dict(rollout.policy.describe())})  # it may have counted things
            write_tables(RunData(folder.path, folder.header, folder.plan, dict(folder.records)), partial)
        except UserError:
            if not stopped:  # otherwise what stopped the run matters more
                raise
