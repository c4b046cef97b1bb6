"""Several run folders as one: the shards of a plan, or runs of different tasks by the same policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.plan.shards import parse_shard
from eval.records.folder import RunData, load_run
from eval.records.results import EpisodeRecord
from eval.records.worlds import merge_worlds

DECISIVE = ("name", "remarks", "checkpoint_sha256", "blake2b", "dtype", "generation", "trace_preset", "unnorm_keys", "seed")
"""What a policy may say of itself that decides its numbers; other things, such as counters and devices, may differ."""
PLACES = ("checkpoint", "tracker_checkpoint")
"""Arguments that are paths: where the content has a hash, the hash decides."""


def load_runs(paths: Sequence[Path], partial: bool = False) -> RunData:
    """One run, or several as one. Raises UserError where they do not belong together or a shard is absent."""
    runs = [load_run(path) for path in paths]
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise UserError("The same run is given twice; name each folder once.")
    return runs[0] if len(runs) == 1 else merge_runs(runs, partial)


def merge_runs(runs: Sequence[RunData], partial: bool = False) -> RunData:
    """The union of runs of one policy; ``path`` is that of the first.

    Raises UserError if policies, worlds or plans contradict each other, if two runs have different verdicts for an
    episode, or, unless ``partial``, if a shard of a plan is not among them.
    """
    first = runs[0]
    for run in runs[1:]:
        _same_policy(first, run)
        _same_world(first, run)
        _same_tasks(first, run)
    plan = _union_of_plans(runs)
    missing = _missing_shards(runs)
    if missing and not partial:
        raise UserError(f"{missing[0]} is not among the runs; add its folder, or take what there is with --partial.")
    return RunData(first.path, _header(runs, missing), plan, _union_of_records(runs))


def _same_policy(a: RunData, b: RunData) -> None:
    for what, ours, theirs in zip(("policy", "policy arguments", "policy description"), _policy(a), _policy(b), strict=True):
        if ours != theirs:
            raise UserError(f"{a.path} has {what} {ours!r}, {b.path} has {theirs!r}; report them apart.")


def _policy(run: RunData) -> tuple[Any, Any, Any]:
    """Name, arguments and description, without what depends on the host."""
    identity, told = run.header.get("identity", {}), run.header.get("policy") or {}
    ignored = ("device", *(PLACES if "checkpoint_sha256" in told else ()))
    arguments = {key: value for key, value in identity.get("policy_args", {}).items() if key not in ignored}
    described = {key: told[key] for key in DECISIVE if key in told}
    if isinstance(tracker := told.get("tracker"), dict):
        described["tracker"] = {key: tracker[key] for key in ("name", "sha256") if key in tracker}
    return identity.get("policy"), arguments, described


def _same_world(a: RunData, b: RunData) -> None:
    ours, theirs = (run.header.get("world", {}).get("name") for run in (a, b))
    if ours and theirs and ours != theirs:
        raise UserError(f"{a.path} was played in {ours}, {b.path} in {theirs}; report them apart.")


def _same_tasks(a: RunData, b: RunData) -> None:
    ours, theirs = (run.header.get("identity", {}).get("tasks", {}) for run in (a, b))
    for name in sorted({*ours} & {*theirs}):
        if ours[name] != theirs[name]:
            raise UserError(f"{a.path} and {b.path} were played with different files of the task {name}; report them apart.")


def _union_of_plans(runs: Iterable[RunData]) -> tuple[EpisodeSpec, ...]:
    """Every episode once. The same place of the same variant must be the same episode in all plans."""
    union: dict[str, EpisodeSpec] = {}
    places: dict[tuple[str, str, str, int], tuple[EpisodeSpec, Path]] = {}
    for run in runs:
        for spec in run.plan:
            place = (spec.task, spec.setting, spec.variant, spec.index)
            other, path = places.setdefault(place, (spec, run.path))
            if other.id != spec.id:
                fields = type(spec).model_fields
                field = next(name for name in fields if getattr(spec, name) != getattr(other, name))
                raise UserError(
                    f"The plans of {path} and {run.path} contradict each other: {field} of {spec.task} {spec.variant} "
                    f"number {spec.index} is {getattr(other, field)} in the one and {getattr(spec, field)} in the other."
                )
            union.setdefault(spec.id, spec)
    return tuple(union.values())


def _union_of_records(runs: Iterable[RunData]) -> dict[str, EpisodeRecord]:
    """A verdict counts more than an error; two different verdicts contradict each other."""
    union: dict[str, tuple[EpisodeRecord, Path]] = {}
    for run in runs:
        for record in run.records.values():
            before, path = union.setdefault(record.id, (record, run.path))
            if before.status == "errored":
                union[record.id] = record, run.path
            elif record.status not in (before.status, "errored"):
                raise UserError(
                    f"Episode {record.id} ({record.task} {record.variant}) is a {before.status} in {path} and a "
                    f"{record.status} in {run.path}; report one of them."
                )
    return {key: record for key, (record, _) in union.items()}


def _missing_shards(runs: Iterable[RunData]) -> list[str]:
    """Shards that no run is, of every plan of which one is here."""
    seen: dict[tuple[str, int], set[int]] = {}
    sizes: dict[tuple[str, int], int] = {}
    for run in runs:
        if shard := run.header.get("shard"):
            number, of = parse_shard(shard["shard"])
            seen.setdefault((shard["plan_hash"], of), set()).add(number)
            sizes[shard["plan_hash"], of] = shard["episodes"]
    return [
        f"Shard {number}/{of} of the plan of {sizes[key, of]} episodes"
        for (key, of), numbers in seen.items()
        for number in range(1, of + 1)
        if number not in numbers
    ]


def _header(runs: Sequence[RunData], missing: Sequence[str]) -> dict[str, Any]:
    """``run.json`` of the union; ``merged`` is what its title must say."""
    header = {key: value for key, value in runs[0].header.items() if key not in ("shard", "plan_hash", "world")}
    world: dict[str, Any] | None = None
    for run in runs:
        if found := run.header.get("world"):
            world = merge_worlds(world, found)
    sessions = [session for run in runs for session in run.header.get("sessions", [])]
    commits = {git["commit"][:7] for session in sessions if (git := session.get("git"))}
    told = [f"{len(runs)} runs together", *missing]
    if len(commits) > 1:
        told.append(f"of different versions {', '.join(sorted(commits))}")
    return header | ({"world": world} if world else {}) | {"sessions": sessions, "merged": told}
