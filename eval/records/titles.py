"""What a table must say of itself, so that no number is taken for what it is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from eval.episode import EpisodeSpec, PlacementSet
from eval.nouns import counted
from eval.records.aggregation import counts
from eval.records.header import RenderingRecord, RunHeader, WorldRecord
from eval.tasks.loading import load_task, task_names

PLACEMENTS: Mapping[PlacementSet, str] = {
    "heldout": "HELD-OUT PLACEMENTS between the published ones: not comparable with published numbers",
    "train": "TRAINING PLACEMENTS, apart from the published ones: not comparable with published numbers",
}


def title(header: RunHeader, plan: Sequence[EpisodeSpec] = ()) -> str:
    """Policy with its own remarks, world, stand-ins, and everything in which the run departs from the published protocol."""
    policy, remarks, world = header.player, header.policy.remarks, header.world
    player = f"{policy} ({' '.join(', '.join(remarks).split())})" if remarks else policy
    return f"{player} in {world.name if world else 'an unrecorded world'} ({'; '.join(remarks_on(header, plan))})"


def remarks_on(header: RunHeader, plan: Sequence[EpisodeSpec]) -> list[str]:
    """What a title says of a run beside its policy and world: files, and everything in which it departs from the protocol."""
    world = header.world
    inside = [_files(world), *departures(plan), *_rendering(world.rendering if world else None, plan), *_counting(header)]
    if shard := header.shard:
        inside.append(f"shard {shard.shard}: {len(plan)} of {counted(shard.episodes, 'episode')}")
    return [*inside, *_versions(header), *header.merged]


def _files(world: WorldRecord | None) -> str:
    assets = world.assets if world else None
    if assets is None or assets.stand_ins is None:
        return "assets not recorded"
    if assets.stand_ins:
        text = f"STAND-INS for {counted(len(assets.stand_ins), 'asset file')}: not comparable with published numbers"
    else:
        text = "original assets"
    if assets.broken:
        text += f"; {len(assets.broken)} of them because the pack's file is broken"
    return text


def _versions(header: RunHeader) -> list[str]:
    """Where the policy's own code was changed while the run was under way."""
    changes = [session.policy_change for session in header.sessions if session.policy_change]
    return [f"POLICY CODE CHANGED after {change.after} of {counted(change.of, 'episode')}" for change in changes]


def _rendering(rendering: RenderingRecord | None, plan: Sequence[EpisodeSpec]) -> list[str]:
    """How the episodes were rendered for which the original traces rays; nothing if no image was rendered."""
    if rendering is None or not any(spec.shader == "rt" for spec in plan):
        return []
    if rendering.rt == "raster":
        return ["RASTER images where the original traces rays"]
    how = "FAST " if rendering.rt == "fast" else ""
    text = f"rays traced {how}with {counted(rendering.samples or 0, 'sample')}, denoiser {rendering.denoiser}"
    if rendering.early_end:
        text += ", dim paths ended early"
    if rendering.light == "installed":
        text += ", in the light of the installed SAPIEN, which is not the original's"
    return [text]


def _counting(header: RunHeader) -> list[str]:
    """Where not every episode once, by the flag of its last step, is what was counted."""
    texts = [] if header.options.success == "last" else ["SUCCESS AT ANY STEP instead of the last"]
    if header.repeats > 1:
        texts.append(f"mean of {header.repeats} repeats")
    return texts


def departures(plan: Iterable[EpisodeSpec]) -> list[str]:
    """Where a plan leaves its tasks' own settings: initial states, step limit, shader, number of episodes."""
    specs = list(plan)
    sets = dict.fromkeys(spec.placements for spec in specs)
    texts = [PLACEMENTS[name] for name in sets if name in PLACEMENTS]
    limits = {(spec.max_steps, own[0]) for spec in specs if (own := _own(spec)) and spec.max_steps != own[0]}
    if limits:
        ours, theirs = ("/".join(str(n) for n in sorted(set(column))) for column in zip(*limits, strict=True))
        texts.append(f"max_steps {ours} instead of {theirs}")
    shaders = {(spec.shader, own[1]) for spec in specs if (own := _own(spec)) and spec.shader != own[1]}
    texts += [f"rendered with {ours} instead of {theirs}" for ours, theirs in sorted(shaders)]
    if sets and "published" not in sets:  # these are as many as one likes
        return [*texts, f"{counted(len(specs), 'episode')}"]
    whole = sum(_size(*key) for key in {(spec.task, spec.setting) for spec in specs})
    played = sum(_size(s.task, s.setting) > 0 and counts((s.task, s.setting, s.variant)) for s in specs)
    if played < whole:
        texts.append(f"{played} of {counted(whole, 'episode')}")
    return texts


def _own(spec: EpisodeSpec) -> tuple[int, str] | None:
    """Step limit and shader that the task's config gives; None for what no config knows."""
    return _variants(spec.task, spec.setting).get(spec.variant)


@cache
def _variants(task: str, setting: str) -> Mapping[str, tuple[int, str]]:
    if task not in task_names() or setting not in (config := load_task(task)).settings:
        return {}
    return {v.name: (v.setup.max_steps or config.max_steps, v.setup.shader) for v in config.variants(setting)}


@cache
def _size(task: str, setting: str) -> int:
    """Episodes of a sweep that count; 0 for seeded random scenes, of which there are as many as one likes."""
    variants = _variants(task, setting)
    episodes = load_task(task).settings[setting].episodes if variants else None
    if episodes is None or episodes.seeds is not None:
        return 0
    return episodes.count * sum(counts((task, setting, variant)) for variant in variants)
