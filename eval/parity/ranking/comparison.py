"""``parity policies``: does our world rank policies as the original simulator does?

Reads runs of the same levels (policies of different strength) in both worlds, ``FOLDER/<world>/<level>``, and compares the
verdicts of the same episodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.backends.selection import ORIGINAL, OWN
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.nouns import counted
from eval.parity.ranking.paired import Cell, Episode, Paired, cell_of
from eval.parity.ranking.validity import Validity, refuse_other_resets
from eval.parity.report import Check, ParityReport
from eval.records.folder import RUN_FILE, RunData, load_run
from eval.records.header import SessionRecord, WorldRecord
from eval.records.identity import require_comparable, require_same_policy
from eval.records.merging import world_of
from eval.records.titles import title

OVERALL_LIMIT, CELL_LIMIT = 0.02, 0.07
"""Largest difference of the success rates of all episodes, and of those of a cell."""
PEARSON_LIMIT, MMRV_LIMIT = 0.99, 0.01
"""Least correlation and largest mean maximum rank violation of the levels' mean rates."""
DEFAULTS = "defaults"
"""Name of the level of a policy that has no other: its own options as they are, or those that every level has."""


@dataclass(frozen=True)
class Origin:
    """The origin of one world's verdicts."""

    world: WorldRecord | None
    sessions: tuple[tuple[str, SessionRecord], ...]
    """(name of the run folder, session)."""

    def to_json(self) -> dict[str, Any]:
        """JSON values; of a session what says how the run was made."""
        kept = {"command", "started", "git", "packages", "machine"}
        sessions = [{"run": run, **session.model_dump(mode="json", include=kept)} for run, session in self.sessions]
        return {"world": None if self.world is None else self.world.model_dump(mode="json"), "sessions": sessions}


@dataclass(frozen=True)
class PolicyParity:
    """The result of a comparison of policies."""

    cells: tuple[Cell, ...]
    overall: Cell
    levels: tuple[str, ...]
    flipped: tuple[Episode, ...]
    """Episodes that end differently."""
    titles: Mapping[str, str]
    """The title of a table of each world's runs: world, stand-ins, departures from the protocol."""
    stand_ins: Mapping[str, bool]
    """Whether stand-ins were used, by world."""
    origin: Mapping[str, Origin]
    """By world: its record, and command, commit and packages of every session."""
    validity: Validity

    @property
    def checks(self) -> tuple[Check, ...]:
        """The limits; smaller is better, so a correlation r counts as 1 - r.

        Where one level leaves nothing to be ranked, the difference must not be there at all, as far as its interval says.
        """
        total, n = self.overall, len(self.levels)
        ranking = [
            Check("all", "1 - Pearson r", 1 - total.pearson, 1 - PEARSON_LIMIT, "", n),
            Check("all", "MMRV", total.mmrv, MMRV_LIMIT, "of 1", n),
        ]
        interval = [Check("all", "95 % interval from 0", total.paired.interval_from_zero, 0.0, "of 1", total.paired.n)]
        checks = [
            Check("all", "difference", total.paired.apart, total.limit, "of 1", total.paired.n),
            *(ranking if len(self.levels) > 1 else interval),
            Check("all", "not played", total.paired.missing, 0, "episodes", total.paired.n + total.paired.missing),
        ]
        checks += [Check(c.name, "difference", c.paired.apart, c.limit, "of 1", c.paired.n) for c in self.cells]
        return tuple(checks)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return ParityReport(self.checks).passed

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            **ParityReport(self.checks).to_json(),
            "titles": dict(self.titles), "stand_ins": dict(self.stand_ins),
            "levels": list(self.levels),
            "overall": self.overall.to_json(), "cells": [cell.to_json() for cell in self.cells],
            "flipped": [asdict(episode) for episode in self.flipped],
            "origin": {world: origin.to_json() for world, origin in self.origin.items()},
            "code": self.validity.to_json(),
        }  # fmt: skip


def run_folders(folder: Path, world: str) -> dict[str, Path]:
    """The runs of a world in a comparison's folder, by name."""
    inside = sorted((folder / world).iterdir()) if (folder / world).is_dir() else []
    return {path.name: path for path in inside if (path / RUN_FILE).is_file()}


def compare_policies(folder: Path) -> PolicyParity:
    """Compare the runs in ``folder/simpler-eval`` with those of the same names in ``folder/simpler-env``.

    An episode without a verdict in one of them is left out and counted. Raises UserError if a world or a level is absent,
    the runs of a world were made in different ones, two runs of a name have another plan or policy, or no episode was
    played in both.
    """
    runs = {world: run_folders(folder, world) for world in (OWN, ORIGINAL)}
    for world, other in ((OWN, ORIGINAL), (ORIGINAL, OWN)):
        if not runs[world]:
            raise UserError(
                f"{folder} holds no runs in {world}/; play them with `parity policies --world {world} --out {folder}`, "
                "or copy them there."
            )
        for name in runs[other].keys() - runs[world].keys():
            raise UserError(f"{folder} holds {other}/{name} but no {world}/{name}; play it or copy it there.")
    pairs = [(load_run(runs[OWN][name]), load_run(runs[ORIGINAL][name])) for name in runs[OWN]]
    for side in zip(*pairs, strict=True):
        for run in side[1:]:
            require_comparable(side[0], run)
    episodes: dict[str, list[Episode]] = {}
    for ours, original in pairs:
        require_same_policy(ours, original)
        _refuse_another_plan(ours, original)
        for spec in ours.plan:
            episodes.setdefault(cell_of(spec), []).append(_episode(spec, ours, original))
    cells = tuple(_cell(name, group) for name, group in episodes.items())
    everything = [episode for group in episodes.values() for episode in group]
    if not any(cell.levels for cell in cells):
        raise UserError(f"No episode in {folder} has a verdict in both worlds; play on with the same command.")
    levels = list(dict.fromkeys(level_of(ours) for ours, _ in pairs))
    overall = Cell("all", Paired.of(everything), _means(levels, cells), OVERALL_LIMIT)
    levels.sort(key=lambda level: -overall.levels.get(level, (0.0, 0.0))[1])
    flipped = tuple(e for e in everything if not e.lacks and e.ours != e.original)
    sides = {OWN: [ours for ours, _ in pairs], ORIGINAL: [original for _, original in pairs]}
    return PolicyParity(
        cells, overall, tuple(levels), flipped,
        {world: _title(side) for world, side in sides.items()},
        {world: any(_stand_ins(run) for run in side) for world, side in sides.items()},
        {world: _origin(side) for world, side in sides.items()},
        Validity.of(sides[OWN], sides[ORIGINAL]),
    )  # fmt: skip


def _refuse_another_plan(ours: RunData, original: RunData) -> None:
    if {spec.id for spec in ours.plan} != {spec.id for spec in original.plan}:
        raise UserError(
            f"{ours.path} and {original.path} have different plans ({len(ours.plan)} and "
            f"{counted(len(original.plan), 'episode')}); play "
            "both with the same options."
        )
    refuse_other_resets(ours.plan, original.plan, original.path)


def level_of(run: RunData) -> str:
    """Name of a run's folder, apart from a seed: runs with other seeds are the same level."""
    return ",".join(part for part in run.path.name.split(",") if not part.startswith("seed=")) or DEFAULTS


def _episode(spec: EpisodeSpec, ours: RunData, original: RunData) -> Episode:
    a, b = (run.record(spec.id) for run in (ours, original))
    ends = (a.status if a else "missing", b.status if b else "missing")
    return Episode(level_of(ours), cell_of(spec), ours.path.name, spec.id, *ends)


def _cell(name: str, episodes: Sequence[Episode]) -> Cell:
    by_level: dict[str, list[Episode]] = {}
    for episode in episodes:
        by_level.setdefault(episode.level, []).append(episode)
    counted = {level: Paired.of(group) for level, group in by_level.items()}
    rates = {level: (pairs.ours, pairs.original) for level, pairs in counted.items() if pairs.n}
    return Cell(name, Paired.of(episodes), rates, CELL_LIMIT)


def _means(levels: Sequence[str], cells: Sequence[Cell]) -> dict[str, tuple[float, float]]:
    """By level, the mean over the cells that have the level: a cell counts the same whatever its number of episodes."""
    means = {}
    for level in levels:
        rates = [cell.levels[level] for cell in cells if level in cell.levels]
        if rates:
            ours, original = np.mean(rates, axis=0)
            means[level] = (float(ours), float(original))
    return means


def _title(runs: Sequence[RunData]) -> str:
    plan = {spec.id: spec for run in runs for spec in run.plan}
    policy = runs[0].header.policy.model_copy(update={"remarks": ()})  # the levels are rows of the table
    header = runs[0].header.model_copy(update={"world": world_of(runs), "shard": None, "policy": policy})
    return title(header, list(plan.values()))


def _stand_ins(run: RunData) -> bool:
    world = run.header.world
    return bool(world and world.assets and world.assets.stand_ins)


def _origin(runs: Sequence[RunData]) -> Origin:
    return Origin(world_of(runs), tuple((run.path.name, session) for run in runs for session in run.header.sessions))
