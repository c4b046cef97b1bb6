"""Several run folders as one: the shards of a plan, or runs of different tasks by the same policy."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.plan.shards import parse_shard
from eval.records.folder import RunData, load_run, plan_hash
from eval.records.header import RunHeader, WorldRecord
from eval.records.identity import place_of, refuse_another_episode, require_poolable
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.worlds import merge_worlds


def load_runs(paths: Sequence[Path | str], partial: bool = False) -> RunData:
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
    for pair in itertools.combinations(runs, 2):  # two runs may share what the first lacks
        require_poolable(*pair)
    plan = _union_of_plans(runs)
    missing = _missing_shards(runs)
    if missing and not partial:
        raise UserError(f"{missing[0]} is not among the runs; add its folder, or take what there is with --partial.")
    return RunData(runs[0].path, _header(runs, plan, missing), plan, _union_of_records(runs))


def _union_of_plans(runs: Iterable[RunData]) -> tuple[EpisodeSpec, ...]:
    """Every episode once. The same place of the same variant must be the same episode in all plans."""
    union: dict[str, EpisodeSpec] = {}
    places: dict[tuple[str, str, str, int], tuple[EpisodeSpec, Path]] = {}
    for run in runs:
        for spec in run.plan:
            other, path = places.setdefault(place_of(spec), (spec, run.path))
            refuse_another_episode(other, spec, path, run.path)
            union.setdefault(spec.id, spec)
    return tuple(union.values())


def _union_of_records(runs: Iterable[RunData]) -> dict[RecordKey, EpisodeRecord]:
    """A verdict counts more than an error; two different verdicts contradict each other."""
    union: dict[RecordKey, tuple[EpisodeRecord, Path]] = {}
    for run in runs:
        for key, record in run.records.items():
            before, path = union.setdefault(key, (record, run.path))
            if before.status == "errored":
                union[key] = record, run.path
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
        if shard := run.header.shard:
            number, of = parse_shard(shard.shard)
            seen.setdefault((shard.plan_hash, of), set()).add(number)
            sizes[shard.plan_hash, of] = shard.episodes
    return [
        f"Shard {number}/{of} of the plan of {sizes[key, of]} episodes"
        for (key, of), numbers in seen.items()
        for number in range(1, of + 1)
        if number not in numbers
    ]


def _header(runs: Sequence[RunData], plan: Sequence[EpisodeSpec], missing: Sequence[str]) -> RunHeader:
    """``run.json`` of the union; ``merged`` is what its title must say."""
    sessions = tuple(session for run in runs for session in run.header.sessions)
    commits = {session.git.commit[:7] for session in sessions if session.git}
    merged = [f"{len(runs)} runs together", *missing]
    if len(commits) > 1:
        merged.append(f"of different versions {', '.join(sorted(commits))}")
    return runs[0].header.model_copy(
        update={
            "world": world_of(runs),
            "sessions": sessions,
            "merged": tuple(merged),
            "shard": None,
            "plan_hash": plan_hash(plan),
            "episodes": len(plan),
            "seeds": tuple(sorted({spec.seed for spec in plan})),
        }
    )


def world_of(runs: Iterable[RunData]) -> WorldRecord | None:
    """What the worlds of several runs used; None where none is recorded."""
    world: WorldRecord | None = None
    for run in runs:
        if run.header.world is not None:
            world = merge_worlds(world, run.header.world)
    return world
