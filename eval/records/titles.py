"""What a table must say of itself, so that no number is taken for what it is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from eval.episode import EpisodeSpec
from eval.records.aggregation import counts
from eval.tasks.loading import load_task, task_names


def title(header: Mapping[str, Any], plan: Sequence[EpisodeSpec] = ()) -> str:
    """Policy with its own remarks, world, stand-ins, and everything in which the run departs from the published protocol."""
    policy = header.get("identity", {}).get("policy", "?")
    remarks = header.get("policy", {}).get("remarks") or ()
    world = header.get("world", {})
    inside = [_files(world), *departures(plan), *_drawing(world, plan)]
    if shard := header.get("shard"):
        inside.append(f"shard {shard['shard']}: {len(plan)} of {shard['episodes']} episodes")
    inside += header.get("merged", [])
    player = f"{policy} ({', '.join(remarks)})" if remarks else policy
    return f"{player} in {world.get('name', 'an unrecorded world')} ({'; '.join(inside)})"


def _files(world: Mapping[str, Any]) -> str:
    assets = world.get("assets") or {}
    standins = assets.get("stand_ins", assets.get("standins"))  # the second name is that of older runs
    if standins:
        number = len(standins) if isinstance(standins, (list, dict)) else standins
        text = f"STAND-INS for {number} asset files: not comparable with published numbers"
    elif standins is None:
        return "assets not recorded"
    else:
        text = "original assets"
    if broken := assets.get("broken"):
        text += f"; {len(broken)} of them because the pack's file is broken"
    return text


def _drawing(world: Mapping[str, Any], plan: Sequence[EpisodeSpec]) -> list[str]:
    """How the episodes were drawn for which the original traces rays; nothing if no picture was drawn."""
    drawing = world.get("drawing")
    if not drawing or not any(spec.shader == "rt" for spec in plan):
        return []
    if drawing["rt"] == "raster":
        return ["RASTER pictures where the original traces rays"]
    return [f"rays traced with {drawing['samples']} samples, denoiser {drawing['denoiser']}"]


def departures(plan: Iterable[EpisodeSpec]) -> list[str]:
    """Where a plan leaves its tasks' own settings: step limit, drawing, number of episodes."""
    specs = list(plan)
    said = []
    limits = {(spec.max_steps, wanted[0]) for spec in specs if (wanted := _wanted(spec)) and spec.max_steps != wanted[0]}
    if limits:
        ours, theirs = ("/".join(str(n) for n in sorted(set(column))) for column in zip(*limits, strict=True))
        said.append(f"max_steps {ours} instead of {theirs}")
    drawn = {(spec.shader, wanted[1]) for spec in specs if (wanted := _wanted(spec)) and spec.shader != wanted[1]}
    said += [f"drawn with {ours} instead of {theirs}" for ours, theirs in sorted(drawn)]
    whole = sum(_size(*key) for key in {(spec.task, spec.setting) for spec in specs})
    counted = sum(_size(s.task, s.setting) > 0 and counts((s.task, s.setting, s.variant)) for s in specs)
    if counted < whole:
        said.append(f"{counted} of {whole} episodes")
    return said


def _wanted(spec: EpisodeSpec) -> tuple[int, str] | None:
    """Step limit and shader that the task's config gives; None for what no config knows."""
    return _own(spec.task, spec.setting).get(spec.variant)


@cache
def _own(task: str, setting: str) -> Mapping[str, tuple[int, str]]:
    if task not in task_names() or setting not in (found := load_task(task)).settings:
        return {}
    return {v.name: (v.setup.max_steps or found.max_steps, v.setup.shader) for v in found.variants(setting)}


@cache
def _size(task: str, setting: str) -> int:
    """Episodes of a sweep that count; 0 for seeded random scenes, of which there are as many as one likes."""
    own = _own(task, setting)
    episodes = load_task(task).settings[setting].episodes if own else None
    if episodes is None or episodes.seeds is not None:
        return 0
    return episodes.count * sum(counts((task, setting, variant)) for variant in own)
