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
from eval.parity.ranking.paired import Cell, Episode, Paired, cell_of
from eval.parity.report import Check, ParityReport
from eval.records.folder import RUN_FILE, RunData, load_run
from eval.records.titles import title
from eval.records.worlds import merge_worlds

OVERALL_LIMIT, CELL_LIMIT = 0.03, 0.10
"""Largest difference of the success rates of all episodes, and of those of a cell."""
PEARSON_LIMIT, MMRV_LIMIT = 0.95, 0.03
"""Least correlation and largest mean maximum rank violation of the levels' mean rates."""


@dataclass(frozen=True)
class PolicyParity:
    """What a comparison of policies found."""

    cells: tuple[Cell, ...]
    overall: Cell
    levels: tuple[str, ...]
    flipped: tuple[Episode, ...]
    """Episodes that end differently."""
    titles: Mapping[str, str]
    """What a table of each world's runs would be called: world, stand-ins, departures from the protocol."""
    standins: Mapping[str, bool]
    """Whether stand-ins were used, by world."""
    origin: Mapping[str, Any]
    """By world: its record, and command, commit and packages of every session."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """What must hold; smaller is better, so a correlation counts by what it lacks of 1."""
        total, n = self.overall, len(self.levels)
        checks = [
            Check("all", "difference", total.paired.apart, total.limit, "of 1", total.paired.n),
            Check("all", "1 - Pearson r", 1 - total.pearson, 1 - PEARSON_LIMIT, "", n),
            Check("all", "MMRV", total.mmrv, MMRV_LIMIT, "of 1", n),
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
            "titles": dict(self.titles), "standins": dict(self.standins), "levels": list(self.levels),
            "overall": self.overall.to_json(), "cells": [cell.to_json() for cell in self.cells],
            "flipped": [asdict(episode) for episode in self.flipped], "origin": dict(self.origin),
        }  # fmt: skip


def run_folders(folder: Path, world: str) -> dict[str, Path]:
    """The runs of a world in a comparison's folder, by name."""
    found = sorted((folder / world).iterdir()) if (folder / world).is_dir() else []
    return {path.name: path for path in found if (path / RUN_FILE).is_file()}


def compare_policies(folder: Path) -> PolicyParity:
    """Compare the runs in ``folder/simpler-eval`` with those of the same names in ``folder/simpler-env``.

    An episode without a verdict in one of them is left out and counted. Raises UserError if a world or a level is absent,
    two runs of a name have another plan or policy, or no episode was played in both.
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
    episodes: dict[str, list[Episode]] = {}
    for ours, original in pairs:
        _refuse_unlike(ours, original)
        for spec in ours.plan:
            episodes.setdefault(cell_of(spec), []).append(_episode(spec, ours, original))
    cells = tuple(_cell(name, found) for name, found in episodes.items())
    everything = [episode for found in episodes.values() for episode in found]
    if not any(cell.levels for cell in cells):
        raise UserError(f"No episode in {folder} has a verdict in both worlds; play on with the same command.")
    levels = list(dict.fromkeys(level_of(ours) for ours, _ in pairs))
    overall = Cell("all", Paired.of(everything), _means(levels, cells), OVERALL_LIMIT)
    levels.sort(key=lambda level: -overall.levels.get(level, (0.0, 0.0))[1])
    flipped = tuple(e for e in everything if not e.lacks and e.ours != e.original)
    sides = {OWN: [ours for ours, _ in pairs], ORIGINAL: [original for _, original in pairs]}
    return PolicyParity(
        cells, overall, tuple(levels), flipped,
        {world: _title(found) for world, found in sides.items()},
        {world: any(_standins(run) for run in found) for world, found in sides.items()},
        {world: _origin(found) for world, found in sides.items()},
    )  # fmt: skip


def _refuse_unlike(ours: RunData, original: RunData) -> None:
    for what in ("policy", "policy_args"):
        mine, theirs = (run.header.get("identity", {}).get(what) for run in (ours, original))
        if mine != theirs:
            raise UserError(f"{ours.path} has {what} {mine!r}, {original.path} has {theirs!r}; compare the same policy.")
    if {spec.id for spec in ours.plan} != {spec.id for spec in original.plan}:
        raise UserError(
            f"{ours.path} and {original.path} have different plans ({len(ours.plan)} and {len(original.plan)} episodes); play "
            "both with the same options."
        )


def level_of(run: RunData) -> str:
    """What a run's policy was given, apart from its seed: runs of other seeds are the same level."""
    identity = run.header.get("identity", {})
    options = [f"{key}={value}" for key, value in identity.get("policy_args", {}).items() if key != "seed"]
    return ",".join(options) or str(identity.get("policy", "?"))


def _episode(spec: EpisodeSpec, ours: RunData, original: RunData) -> Episode:
    a, b = (run.records.get(spec.id) for run in (ours, original))
    ends = (a.status if a else "missing", b.status if b else "missing")
    return Episode(level_of(ours), cell_of(spec), ours.path.name, spec.id, *ends)


def _cell(name: str, episodes: Sequence[Episode]) -> Cell:
    by_level: dict[str, list[Episode]] = {}
    for episode in episodes:
        by_level.setdefault(episode.level, []).append(episode)
    counted = {level: Paired.of(found) for level, found in by_level.items()}
    rates = {level: (found.ours, found.original) for level, found in counted.items() if found.n}
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
    header = {"identity": runs[0].header.get("identity", {}), "world": _world(runs)}
    return title(header, list(plan.values()))


def _world(runs: Sequence[RunData]) -> dict[str, Any]:
    merged: dict[str, Any] | None = None
    for run in runs:
        if world := run.header.get("world"):
            merged = merge_worlds(merged, world)
    return merged or {}


def _standins(run: RunData) -> bool:
    assets = run.header.get("world", {}).get("assets") or {}
    return bool(assets.get("stand_ins", assets.get("standins")))


def _origin(runs: Sequence[RunData]) -> dict[str, Any]:
    sessions = [{"run": run.path.name, **session} for run in runs for session in run.header.get("sessions", [])]
    kept = ("run", "command", "started", "git", "packages", "machine")
    return {"world": _world(runs), "sessions": [{key: s.get(key) for key in kept} for s in sessions]}
