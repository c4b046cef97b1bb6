"""Short names for the runs of one table: the policy, and whatever else tells them apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.records.folder import RunData
from eval.records.header import OBSERVATION_CHANGE
from eval.records.identity import place_of
from eval.records.options import RunOptions
from policies.base import PolicyDescription

HASH_DIGITS = 8
"""That are shown of a hash."""
PLACES = 2
"""Names that are shown of a path: in tables for papers nobody's folders stand."""
MOST_VALUES = 3
"""That are named of a field of the plan."""
UNTOLD = ("name", "weights")
"""Fields of a policy's identity that are told otherwise."""


@dataclass(frozen=True)
class _Aspect:
    """One thing in which runs may differ."""

    value: object
    """What is compared."""
    text: str
    """How a label tells it; may be empty."""
    needed: bool = True
    """Whether a run that has nothing of the kind differs; else it has other episodes or another world."""
    always: bool = False
    """Whether a label tells it although all runs have it."""


def labels(runs: Sequence[RunData]) -> list[str]:
    """A label for each run, such as ``openvla_phi3, step_2000``; no two are equal.

    What a policy is made of is told where runs of the same policy differ in it; world, files, plan and repeats where any
    two runs do; always that initial states are not the published ones, or that an audit changed what the policy saw: so no
    such number stands anywhere as one of the benchmark.
    """
    names = _policy_names(runs)
    weights = _weight_names(runs)
    policies = [dict(_of_policy(run, name)) for run, name in zip(runs, weights, strict=True)]
    rest = [dict(_of_run(run)) | plan for run, plan in zip(runs, _of_plans(runs), strict=True)]
    texts = []
    for name, policy, other in zip(names, policies, rest, strict=True):
        same = [p for n, p in zip(names, policies, strict=True) if n == name]
        texts.append(", ".join([name, *_told(policy, same), *_told(other, rest)]))
    for where in (_folder_name, lambda run: str(run.path)):
        counts = Counter(texts)
        texts = [f"{text}, {where(run)}" if counts[text] > 1 else text for text, run in zip(texts, runs, strict=True)]
    return texts


def _folder_name(run: RunData) -> str:
    """Of runs that are one: ``s1+s2``, of many ``s1+...+s8``."""
    names = [part.path.name for part in run.parts] or [run.path.name]
    return "+".join(names if len(names) <= MOST_VALUES else [names[0], "...", names[-1]])


def _told(mine: Mapping[str, _Aspect], all_of_them: Sequence[Mapping[str, _Aspect]]) -> list[str]:
    """The texts of what is not the same everywhere."""
    nothing = _Aspect(None, "")
    texts = []
    for key, aspect in mine.items():
        absent = nothing if aspect.needed else aspect
        if aspect.text and (aspect.always or any(other.get(key, absent).value != aspect.value for other in all_of_them)):
            texts.append(aspect.text)
    return texts


def _policy_names(runs: Sequence[RunData]) -> list[str]:
    """``my.py:Mine`` for ``/somewhere/my.py:Mine``, unless two files are called the same."""
    full = [run.header.player for run in runs]
    short = {name: name.rsplit("/", 1)[-1] for name in full}
    counts = Counter(short.values())
    return [short[name] if counts[short[name]] == 1 else name for name in full]


def _weight_names(runs: Sequence[RunData]) -> list[str]:
    """What the checkpoints of the runs are called, if that tells different weights apart; else their hashes."""
    hashes = [run.header.identity.policy.weights or "" for run in runs]
    folders = [_checkpoint(run) for run in runs]
    pairs = {*zip(hashes, folders, strict=True)}
    plain = len(pairs) == len({*hashes}) == len({*folders})
    return folders if plain else [f"weights {text[:HASH_DIGITS]}" if text else "" for text in hashes]


def _checkpoint(run: RunData) -> str:
    return checkpoint_name(run.header.options, run.header.policy)


def checkpoint_name(options: RunOptions, policy: PolicyDescription) -> str:
    """What the checkpoint of a run is called, without the folders in which it lies; may be empty."""
    place = policy.details.get("checkpoint") or options.policy_args.get("checkpoint") or ""
    return Path(str(place)).name


def player_name(options: RunOptions, policy: PolicyDescription) -> str:
    """Who plays, for one line beside an episode: ``tracevla_phi3, step_2000 (remarks of the policy)``."""
    player = policy.name if "://" in options.policy else options.policy.rsplit("/", 1)[-1]
    name = ", ".join(filter(None, (player, checkpoint_name(options, policy))))
    return f"{name} ({', '.join(policy.remarks)})" if policy.remarks else name


def _of_policy(run: RunData, weights: str) -> Iterator[tuple[str, _Aspect]]:
    identity = run.header.identity.policy
    yield "weights", _Aspect(identity.weights, weights)
    for name, value in identity.model_dump(mode="json").items():
        if name in UNTOLD:
            continue
        entries = value if isinstance(value, Mapping) else {name: value}
        for key, entry in entries.items():
            joint = "=" if name in ("unnorm_keys", "settings") else " "
            if key == OBSERVATION_CHANGE:
                continue  # told of the run
            text = "" if entry is None else f"{key.replace('_', ' ') if joint == ' ' else key}{joint}{_short(entry)}"
            yield f"{name}.{key}", _Aspect(entry, text)


def _short(value: object) -> str:
    """The text of a value, hashes cut; of a path what a reader elsewhere may make something of."""
    if isinstance(value, str) and len(parts := Path(value).parts) > PLACES and Path(value).is_absolute():
        return "/".join(parts[-PLACES:])
    return re.sub(r"\b[0-9a-f]{16,}\b", lambda found: found[0][:HASH_DIGITS], str(value))


def _of_run(run: RunData) -> Iterator[tuple[str, _Aspect]]:
    header = run.header
    world = header.identity.world
    yield "version", _Aspect(header.schema_version, "version 0.1" if header.schema_version == 1 else "")
    yield "world", _Aspect(world.name, world.name)
    if world.code is not None:
        yield f"code of {world.name}", _Aspect(world.code, f"code {_short(world.code)}", needed=False)
    for name, version in world.versions.items():
        yield f"{name} of {world.name}", _Aspect(version, f"{name} {_short(version)}", needed=False)
    if world.rendering is not None:
        text = {"raster": "raster", "trace": "rays traced", "fast": "rays traced fast"}[world.rendering.rt]
        yield "rendering", _Aspect(world.rendering, text, needed=False)
    assets = header.world.assets if header.world else None
    kind = "assets unrecorded" if assets is None or assets.stand_ins is None else "stand-ins" if assets.stand_ins else ""
    yield "stand-ins", _Aspect(kind, kind or "original assets")
    placements, change = header.identity.placements, header.identity.observation_change
    yield "placements", _Aspect(placements, f"{placements} placements", always=placements != "published")
    yield "audit", _Aspect(change, "" if change is None else f"audit: {change.replace('_', ' ')}", always=True)
    yield "repeats", _Aspect(header.repeats, f"{header.repeats} repeats" if header.repeats > 1 else "one repeat")
    shard = header.shard.shard if header.shard else ""
    yield "shard", _Aspect(shard, f"shard {shard}" if shard else "")


def _of_plans(runs: Sequence[RunData]) -> list[dict[str, _Aspect]]:
    """Of each run what its episodes have otherwise than those of other runs in the same place, and the files they load."""
    differing: dict[str, None] = {}
    plans = {run.header.plan_hash: run.plan for run in runs}  # of a sweep of checkpoints there is one
    places = [{place_of(spec): spec for spec in plan} for plan in plans.values()]
    for number, ours in enumerate(places):
        for theirs in places[:number]:
            for place in ours.keys() & theirs.keys():
                if ours[place].id != theirs[place].id:
                    fields = [name for name in type(ours[place]).model_fields if name not in ("simpler_reset", "placements")]
                    differing |= {n: None for n in fields if getattr(ours[place], n) != getattr(theirs[place], n)}
    aspects: list[dict[str, _Aspect]] = []
    for run in runs:
        mine = {}
        for name in differing:
            values = list(dict.fromkeys(str(getattr(spec, name)) for spec in run.plan))
            text = "/".join(values) if len(values) <= MOST_VALUES and len("/".join(values)) <= 20 else "others"
            mine[f"plan.{name}"] = _Aspect(values, f"{name} {text}" if text != "others" else "")
        if differing and not any(aspect.text for aspect in mine.values()):
            mine["plan"] = _Aspect(run.header.plan_hash, f"plan {run.header.plan_hash[:HASH_DIGITS]}")
        digests = {other.header.identity.assets for other in runs if other.header.plan_hash == run.header.plan_hash}
        if len(digests) > 1:
            mine["assets"] = _Aspect(run.header.identity.assets, f"assets {_short(run.header.identity.assets)}")
        for task, digest in run.header.identity.tasks.items():
            mine[f"task {task}"] = _Aspect(digest, f"{task} {_short(digest)}", needed=False)
        aspects.append(mine)
    return aspects
