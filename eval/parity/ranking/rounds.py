"""The episodes of ``parity policies``: every level in both worlds, the same number of episodes in every cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.backends.selection import ORIGINAL, OWN
from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.parity.ranking.comparison import DEFAULTS, run_folders
from eval.parity.ranking.paired import cell_of
from eval.parity.ranking.validity import refuse_other_code, refuse_other_policy, refuse_other_resets
from eval.plan.sampling import spread
from eval.plan.suites import make_plan
from eval.records.code import shipped_code_hash
from eval.records.differences import another_plan
from eval.records.folder import RUN_FILE, load_run, plan_hash
from eval.rollout.policy_closing import close_object
from policies.base import PolicyIdentity
from policies.registry import PolicyOptionError, describe, load_policy

ORACLE = "oracle"
LEVELS = (
    *("noise=0", "noise=0.3", "noise=0.4", "noise=0.7", "noise=1.1"),
    *("delay=3", "delay=4", "height=0.04", "side=0.06", "release=0.06"),
)
"""Of the oracle: from all to an eighth by noise (at the last, drawers are nearly all that still succeeds,
``results/benchmarks/original.md``), and levels that fail in each of the other ways."""
SAMPLED = ("noise", "height", "side", "release")
"""Options of the oracle that its seed plays a part in."""
EPISODES = 30
SUITES = ("google_robot_visual_matching", "widowx_visual_matching")
WORLDS = (OWN, ORIGINAL)


@dataclass(frozen=True)
class Round:
    """One run, to be made in each world: a level, and the episodes that its disturbances are sampled for."""

    name: str
    """Of its folder."""
    policy: str
    options: dict[str, str]
    """For the policy."""
    plan: tuple[EpisodeSpec, ...]
    code: str | None
    """Hash of the policy's code as it is now; None for a policy of an installed package."""


def default_plan(max_steps: int | None = None) -> list[EpisodeSpec]:
    """All episodes of the published cells of visual matching."""
    return [spec for suite in SUITES for spec in make_plan(suite, max_steps=max_steps)]


def rounds_of(
    levels: Sequence[str],
    plan: Sequence[EpisodeSpec],
    episodes: int,
    policy: str = ORACLE,
    common: Mapping[str, str] | None = None,
) -> list[Round]:
    """The runs that give every level ``episodes`` in every cell of the plan, spread evenly.

    Where a cell has fewer placements, a level that samples something plays some of them again with its next seeds; one that
    samples nothing would repeat itself, and has no more episodes than placements.

    Args:
        levels: comma lists of NAME=VALUE; none: the oracle's own, and of another policy one level with its defaults.
        plan: episodes to choose from.
        episodes: of every cell.
        policy: as after ``--policy``.
        common: options that the policy has in every level.

    Raises:
        UserError: there is no such policy, or it does not take the options of a level.
    """
    cells: dict[str, list[EpisodeSpec]] = {}
    for spec in plan:
        cells.setdefault(cell_of(spec), []).append(spec)
    rounds: list[Round] = []
    seen: dict[object, str] = {}
    for text in levels or (LEVELS if policy == ORACLE and not common else (DEFAULTS,)):
        options = {} if text == DEFAULTS else _options(text)
        if twice := sorted(options.keys() & (common or {}).keys()):
            raise UserError(f'--level "{text}" and the options of every level both give {twice[0]}; give it once.')
        identity, code = _identity(policy, {**(common or {}), **options})
        key: object = tuple(sorted((name, value) for name, value in options.items() if name != "seed"))
        if policy == ORACLE:  # noise=0, noise=0.0 and delay=0 are one
            key = identity.model_copy(update={"seed": None}).model_dump_json()
        if key in seen:
            other = "" if seen[key] == text else f', as "{seen[key]}"'
            raise UserError(f'--level "{text}" is there twice{other} (seeds do not count); give each level once.')
        seen[key] = text
        needed = -(-episodes // min(map(len, cells.values())))
        first = identity.seed or 0
        for number in range(needed if needed == 1 or _samples(policy, identity, {**(common or {}), **options}) else 1):
            part = [s for cell in cells.values() for s in spread(cell, max(0, min(len(cell), episodes - number * len(cell))))]
            chosen = {**options, "seed": str(first + number)} if number else options
            name = ",".join(f"{name}={value}" for name, value in chosen.items()) or DEFAULTS
            rounds.append(Round(name, policy, {**(common or {}), **chosen}, tuple(part), code))
    return rounds


def _identity(policy: str, options: Mapping[str, str]) -> tuple[PolicyIdentity, str | None]:
    """What a policy says of itself with these options, and the hash of its code."""
    made = load_policy(policy, options)
    try:
        identity = describe(made, policy, options).identity
        return identity, shipped_code_hash(made) or identity.code
    finally:
        close_object(made, policy)


def _samples(policy: str, identity: PolicyIdentity, options: Mapping[str, str]) -> bool:
    """Whether another seed plays otherwise: an oracle has one in any case, others say one where they sample."""
    if policy == ORACLE:
        return any(identity.settings.get(name) for name in SAMPLED)
    if identity.seed is None:
        return False
    try:
        return _identity(policy, {**options, "seed": str(identity.seed + 1)})[0] != identity
    except PolicyOptionError:
        return False


def _options(level: str) -> dict[str, str]:
    options = {}
    for text in level.split(","):
        name, equals, value = text.strip().partition("=")
        if not (name.isidentifier() and equals and value and "/" not in value):
            raise UserError(f'--level "{level}" is not a comma list of NAME=VALUE, such as noise=0.3,delay=1.')
        if name in options:
            raise UserError(f'--level "{level}" gives {name} twice; give it once.')
        options[name] = value
    return options


def worlds_of(name: str | None) -> tuple[str, ...]:
    """Those to be played in; both without a name."""
    if name is not None and name not in WORLDS:
        raise UserError(f'There is no world "{name}" to compare.{did_you_mean(name, WORLDS)}')
    return WORLDS if name is None else (name,)


def is_played(folder: Path, step: Round) -> bool:
    """Whether a folder holds the whole round. Raises UserError if it holds another plan, or was played by other code."""
    if not (folder / RUN_FILE).is_file():
        return False
    run = load_run(folder)
    if run.header.plan_hash != plan_hash(step.plan):
        raise UserError(
            f"{another_plan(folder, len(run.plan), len(step.plan))}; repeat the options it was made with, choose another "
            "--out, or give --out alone to compare what is there."
        )
    refuse_other_policy(run, step.policy, step.options)
    refuse_other_resets(run.plan, step.plan, run.path)
    refuse_other_code(run, step.code)
    return all(run.record(spec.id) for spec in step.plan)


def is_complete(folder: Path) -> bool:
    """Whether a comparison's folder holds the same levels in both worlds, every one played to the end."""
    runs = {world: run_folders(folder, world) for world in WORLDS}
    if not runs[OWN] or runs[OWN].keys() != runs[ORIGINAL].keys():
        return False
    loaded = [load_run(path) for paths in runs.values() for path in paths.values()]
    return all(run.record(spec.id) for run in loaded for spec in run.plan)
