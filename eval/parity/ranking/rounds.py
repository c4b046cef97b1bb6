"""The episodes of ``parity policies``: every level in both worlds, the same number of episodes in every cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.backends.selection import ORIGINAL, OWN
from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.parity.ranking.comparison import run_folders
from eval.parity.ranking.paired import cell_of
from eval.plan.sampling import spread
from eval.plan.suites import make_plan
from eval.records.folder import RUN_FILE, load_run, plan_hash
from policies.registry import describe, load_policy

POLICY = "oracle"
LEVELS = ("noise=0", "noise=0.3", "noise=0.4", "noise=0.7", "noise=1.1")
"""From all to an eighth; at the last, drawers are nearly all that still succeeds (``results/benchmarks/original.md``)."""
EPISODES = 30
SUITES = ("google_robot_visual_matching", "widowx_visual_matching")
WORLDS = (OWN, ORIGINAL)


@dataclass(frozen=True)
class Round:
    """One run, to be made in each world: a level, and the episodes that its disturbances are sampled for."""

    name: str
    """Of its folder."""
    options: dict[str, str]
    """For the policy."""
    plan: tuple[EpisodeSpec, ...]


def default_plan(max_steps: int | None = None) -> list[EpisodeSpec]:
    """All episodes of the published cells of visual matching."""
    return [spec for suite in SUITES for spec in make_plan(suite, max_steps=max_steps)]


def rounds_of(levels: Sequence[str], plan: Sequence[EpisodeSpec], episodes: int) -> list[Round]:
    """The runs that give every level ``episodes`` in every cell of the plan, spread evenly.

    Where a cell has fewer placements, a level with noise plays some of them again with its next seeds; a level without
    samples nothing, and a repetition would tell nothing. Raises UserError for a level the policy does not take.
    """
    cells: dict[str, list[EpisodeSpec]] = {}
    for spec in plan:
        cells.setdefault(cell_of(spec), []).append(spec)
    rounds: list[Round] = []
    seen: set[tuple[tuple[str, str], ...]] = set()
    for text in levels:
        options = _options(text)
        policy = describe(load_policy(POLICY, options), POLICY, {}).identity
        key = tuple(sorted((name, value) for name, value in options.items() if name != "seed"))
        if key in seen:
            raise UserError(f'--level "{text}" is there twice (seeds do not count); give each level once.')
        seen.add(key)
        for number in range(-(-episodes // min(map(len, cells.values()))) if policy.settings.get("noise") else 1):
            part = [s for cell in cells.values() for s in spread(cell, max(0, min(len(cell), episodes - number * len(cell))))]
            if number:
                options = {**options, "seed": str((policy.seed or 0) + number)}
            rounds.append(Round(",".join(f"{name}={value}" for name, value in options.items()), options, tuple(part)))
    return rounds


def _options(level: str) -> dict[str, str]:
    options = {}
    for text in level.split(","):
        name, equals, value = text.strip().partition("=")
        if not (name.isidentifier() and equals and value and "/" not in value):
            raise UserError(f'--level "{level}" is not a comma list of NAME=VALUE, such as noise=0.3,delay=1.')
        options[name] = value
    return options


def worlds_of(name: str | None) -> tuple[str, ...]:
    """Those to be played in; both without a name."""
    if name is not None and name not in WORLDS:
        raise UserError(f'There is no world "{name}" to compare.{did_you_mean(name, WORLDS)}')
    return WORLDS if name is None else (name,)


def is_played(folder: Path, step: Round) -> bool:
    """Whether a folder holds the whole round. Raises UserError if it holds another plan."""
    if not (folder / RUN_FILE).is_file():
        return False
    run = load_run(folder)
    if run.header.plan_hash != plan_hash(step.plan):
        raise UserError(
            f"{folder} holds a run of another plan ({len(run.plan)} episodes, this one has {len(step.plan)}); repeat the "
            "options it was made with, choose another --out, or give --out alone to compare what is there."
        )
    return all(run.record(spec.id) for spec in step.plan)


def is_complete(folder: Path) -> bool:
    """Whether a comparison's folder holds the same levels in both worlds, every one played to the end."""
    runs = {world: run_folders(folder, world) for world in WORLDS}
    if not runs[OWN] or runs[OWN].keys() != runs[ORIGINAL].keys():
        return False
    loaded = [load_run(path) for paths in runs.values() for path in paths.values()]
    return all(run.record(spec.id) for run in loaded for spec in run.plan)
