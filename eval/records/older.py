"""Run folders of version 0.1, which had no ``schema_version``: read and reported, never continued or mixed with newer ones.

Their episodes said less: the success rule, the physics and the lights stood in the task's config alone. They are completed
from the config of today, and keep the ids they had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from pydantic import JsonValue, ValidationError

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.header import (
    AssetsRecord,
    GitRecord,
    MachineRecord,
    Rendered,
    RenderingRecord,
    RunHeader,
    RunIdentity,
    SessionRecord,
    ShardRecord,
    WorldIdentity,
    WorldRecord,
)
from eval.records.options import RunOptions
from eval.records.reading import numbered_lines
from eval.tasks.loading import load_task
from policies.registry import description_of
from task_configs import lights, objects

Content = Mapping[str, JsonValue]
OWN_WORLD = "simpler-eval"


def is_older(content: Mapping[str, object]) -> bool:
    """Whether this is the ``run.json`` of version 0.1."""
    written = isinstance(content.get("identity"), Mapping) and isinstance(content.get("plan_hash"), str)
    return "schema_version" not in content and written


def refuse_continuing(header: RunHeader, path: Path) -> None:
    """Raise UserError if a run is of version 0.1: its episodes have other ids than those that would be played now."""
    if header.schema_version == 1:
        raise UserError(f"{path} holds a run of version 0.1; it can be reported but not continued: choose another --out.")


def refuse_mixed_versions(a: RunHeader, b: RunHeader, what: str) -> None:
    """Raise UserError if one run is of version 0.1 and the other is not."""
    if a.schema_version != b.schema_version:
        raise UserError(f"{what}: one is a run of version 0.1, whose episodes have other ids; report them apart.")


def read_header(content: Mapping[str, object], path: Path) -> RunHeader:
    """``run.json`` of version 0.1 as today's model. What it did not record is None or empty. Raises UserError."""
    try:
        return _header(content)
    except (KeyError, TypeError, ValueError) as error:
        text = str(error).splitlines()[0]
        raise UserError(f"{path} is damaged or of another version ({text}); restore it or start a new run.") from None


def _header(content: Mapping[str, object]) -> RunHeader:
    old = cast(Content, content)
    identity, world = _part(old, "identity"), _part(old, "world")
    args = {key: str(value) for key, value in _part(identity, "policy_args").items()}
    name = str(identity.get("policy", "?"))
    policy = description_of({**args, **_part(old, "policy")}, name)
    own = {"policy": name, "policy_args": args, "assets": identity.get("assets"), "world": _world_name(identity)}
    options = _options(_part(old, "options"), own)
    shard = _part(old, "shard")
    return RunHeader(
        schema_version=1,
        identity=RunIdentity(
            world=_world_identity(identity),
            tasks={key: str(value) for key, value in _part(identity, "tasks").items()},
            policy=policy.identity,
        ),
        policy=policy,
        options=options,
        sessions=tuple(_session(cast(Content, session), own) for session in _list(old, "sessions")),
        world=world_record(world) if world else None,
        rendered=cast(Rendered | None, old.get("drawn")),
        shard=ShardRecord.model_validate(shard) if shard else None,
        plan_hash=str(old.get("plan_hash", "")),
        episodes=cast(int, old.get("episodes", 0)),
        seeds=tuple(cast(list[int], _list(old, "seeds"))),
    )


def world_record(old: Content) -> WorldRecord:
    """The world of a ``run.json`` of version 0.1, or what a worker of that version sends."""
    assets, drawing = old.get("assets"), _part(old, "drawing")
    device = old.get("device")
    return WorldRecord(
        name=str(old.get("name", "an unrecorded world")),
        assets=_assets(cast(Content, assets)) if isinstance(assets, Mapping) else None,
        device=None if device is None else str(device),
        rendering=RenderingRecord.model_validate(drawing) if drawing else None,
        drivers=tuple(_list(old, "drivers")),
        versions=_part(old, "versions"),
    )


def _assets(old: Content) -> AssetsRecord:
    stand_ins = old.get("standins")
    names = None if stand_ins is None else tuple(str(name) for name in cast(Sequence[JsonValue], stand_ins))
    packs = _list(old, "packs") or _list(old, "folders")
    content = {"packs": packs, "stand_ins": names, **{key: old[key] for key in ("kind", "files", "broken") if key in old}}
    return AssetsRecord.model_validate(content)


def _world_name(identity: Content) -> str:
    return str(_part(identity, "world").get("name", OWN_WORLD))


def _world_identity(identity: Content) -> WorldIdentity:
    versions = {key: str(value) for key, value in _part(identity, "world").items() if key != "name"}
    return WorldIdentity(name=_world_name(identity), versions=versions)


def _options(old: Content, own: Mapping[str, object]) -> RunOptions:
    known = {key: value for key, value in old.items() if key in RunOptions.model_fields and value is not None}
    return RunOptions.model_validate({**known, **own})


def _session(old: Content, own: Mapping[str, object]) -> SessionRecord:
    git, machine = _part(old, "git"), _part(old, "machine")
    return SessionRecord(
        command=str(old.get("command", "")),
        started=str(old.get("started", "")),
        git=GitRecord.model_validate(git) if git else None,
        python=str(old.get("python", "")),
        packages={key: str(value) for key, value in _part(old, "packages").items()},
        machine=MachineRecord.model_validate({"system": "", "cpu": "", "cores": 0, **machine}),
        options=_options(_part(old, "options"), own),
    )


def read_plan(path: Path) -> tuple[EpisodeSpec, ...]:
    """``plan.jsonl`` of version 0.1. Raises UserError if it is missing or damaged, or a task of it is no longer known."""
    return tuple(_episode(line, path) for _, line in numbered_lines(path))


def _episode(line: str, path: Path) -> EpisodeSpec:
    """A line of an older plan, with what its task's config says of rule, physics, lights and sizes."""
    try:
        old = cast(dict[str, JsonValue], json.loads(line))
        task = load_task(str(old["task"]))
        sizes = {model: objects(table)[model].size for table, model in task.models}
        more: dict[str, object] = {
            "version": 1,
            "rule": task.rule.model_dump(mode="json"),
            "physics": {"contact_offset": task.contact_offset, "stage_collides": task.stage_collides},
            "lights": lights(task.lights)[str(old["lighting"])].model_dump(mode="json"),
            "hidden": task.hidden,
            "objects": [{**entry, "size": sizes[str(entry["model"])]} for entry in cast(list[Content], old["objects"])],
        }
        return EpisodeSpec.model_validate_json(json.dumps({**old, **more}))
    except UserError as error:
        raise UserError(f"{path} is of version 0.1 and cannot be completed: {error}") from error
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        text = str(error).splitlines()[0]
        raise UserError(f"{path} is damaged or does not fit the tasks of today ({text}); start a new run.") from error


def _part(old: Content, key: str) -> dict[str, JsonValue]:
    value = old.get(key)
    return dict(value) if isinstance(value, Mapping) else {}


def _list(old: Content, key: str) -> list[JsonValue]:
    value = old.get(key)
    return list(value) if isinstance(value, list | tuple) else []
