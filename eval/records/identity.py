"""What decides whether two runs may be put together: pooled into one number, continued, or compared with each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.differences import refuse_difference
from eval.records.folder import RunData
from eval.records.header import RunHeader
from eval.records.older import refuse_mixed_versions

PLAN_DEPENDENT = ("assets", "tasks", "world.rendering")
"""Parts of the identity that are about the plan's episodes; runs of other episodes have others."""


def require_poolable(a: RunData, b: RunData) -> None:
    """Whether results of two runs may be counted as one number: shards of a plan, or runs of other tasks.

    Raises UserError naming the first thing that differs, with both values. Everything of the identity must be equal; where
    the runs have other episodes, what depends on those must be equal as far as they share it, and shards of one plan must
    have begun with the same files for the whole of it.
    """
    refuse_mixed_versions(a.header, b.header, f"{a.path} and {b.path}")
    same_plan = a.header.plan_hash == b.header.plan_hash
    ignored = () if same_plan else PLAN_DEPENDENT
    refuse_difference(a.path, b.path, a.header.identity, b.header.identity, ignored, "report them apart")
    if not same_plan:
        _require_shared_equal(a, b, "report them apart")
    ours, theirs = a.header.shard, b.header.shard
    if ours and theirs and ours.plan_hash == theirs.plan_hash and ours.assets != theirs.assets:
        raise UserError(f"{a.path} has assets {ours.assets!r}, {b.path} has {theirs.assets!r}; report them apart.")


def require_comparable(a: RunData, b: RunData) -> None:
    """Whether two runs may be compared episode by episode, such as two policies: same initial states in the same world.

    Raises UserError naming the first thing that differs, with both values. The policy may differ, and one run may have
    episodes that the other lacks.
    """
    refuse_mixed_versions(a.header, b.header, f"{a.path} and {b.path}")
    same_plan = a.header.plan_hash == b.header.plan_hash
    ignored = ("policy", *(() if same_plan else PLAN_DEPENDENT))
    hint = "compare runs of the same world"
    refuse_difference(a.path, b.path, a.header.identity, b.header.identity, ignored, hint)
    if not same_plan:
        _require_shared_equal(a, b, hint)
    places = {place_of(spec): spec for spec in a.plan}
    for spec in b.plan:
        refuse_another_episode(places.get(place_of(spec), spec), spec, a.path, b.path)


def require_same_policy(a: RunData, b: RunData) -> None:
    """Whether two runs, of whatever worlds, were played by the same policy. Raises UserError as the others do."""
    ours, theirs = a.header.identity.policy, b.header.identity.policy
    refuse_difference(a.path, b.path, ours, theirs, (), "compare the same policy", "policy.")


def place_of(spec: EpisodeSpec) -> tuple[str, str, str, int]:
    """Where an episode belongs in the tables, whatever its initial state."""
    return spec.task, spec.setting, spec.variant, spec.index


def refuse_another_episode(ours: EpisodeSpec, theirs: EpisodeSpec, a: Path, b: Path) -> None:
    """Raise UserError if two episodes of one place are not the same."""
    if ours.id == theirs.id:
        return
    fields = [name for name in type(ours).model_fields if name != "simpler_reset"]
    field = next(name for name in fields if getattr(ours, name) != getattr(theirs, name))
    raise UserError(
        f"The plans of {a} and {b} contradict each other: {field} of {ours.task} {ours.variant} number {ours.index} is "
        f"{getattr(ours, field)} in the one and {getattr(theirs, field)} in the other."
    )


def _require_shared_equal(a: RunData, b: RunData, hint: str) -> None:
    """What depends on the episodes must be equal where both runs have it."""
    for what, ours, theirs in zip(("task file", "asset"), _shared(a.header), _shared(b.header), strict=True):
        for name in sorted(ours.keys() & theirs.keys()):
            if ours[name] != theirs[name]:
                raise UserError(f"{a.path} has {what} {name} {ours[name]!r}, {b.path} has {theirs[name]!r}; {hint}.")
    rendering = [run.header.identity.world.rendering for run in (a, b)]
    if all(rendering) and rendering[0] != rendering[1]:
        ours_, theirs_ = (entry.model_dump() for entry in rendering if entry)
        raise UserError(f"{a.path} has world.rendering {ours_!r}, {b.path} has {theirs_!r}; {hint}.")


def _shared(header: RunHeader) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """(digest by user task, checksum or ``stand-in`` by asset file)."""
    record = header.world.assets if header.world else None
    if record is None:
        return header.identity.tasks, {}
    return header.identity.tasks, {**record.files, **dict.fromkeys(record.stand_ins or (), "stand-in")}
