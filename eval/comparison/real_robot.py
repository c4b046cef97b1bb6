"""Does simulation rank policies as real robots did? By the measures of SIMPLER: MMRV and Pearson's r."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from eval.errors import UserError, did_you_mean
from eval.nouns import counted
from eval.published.numbers import number_rows, policy_models
from eval.records.aggregation import PARTIAL, rate_rows
from eval.records.cells import cells
from eval.records.escaping import printable
from eval.records.folder import RunData
from eval.records.labels import labels
from eval.records.latex import SETTING_TITLES
from eval.records.tallies import JUDGES
from eval.statistics.ranking import mean_maximum_rank_violation, pearson

REAL = "real_robot"
FEWEST = 3
"""Policies below which the numbers mean nothing: two are always on a line."""
MEAN = "mean of the cells"


@dataclass(frozen=True)
class Ranked:
    """Policies by simulated and real success in one cell."""

    cell: str
    setting: str
    simulated: Mapping[str, float]
    """Model -> rate, 0..1."""
    real: Mapping[str, float]

    @property
    def n(self) -> int:
        """Policies."""
        return len(self.real)

    @property
    def mmrv(self) -> float:
        """Mean maximum rank violation, 0..1."""
        return mean_maximum_rank_violation(*self._rates())

    @property
    def pearson(self) -> float:
        """Correlation, -1..1."""
        return pearson(*self._rates())

    def _rates(self) -> tuple[list[float], list[float]]:
        return [self.simulated[model] for model in self.real], list(self.real.values())


@dataclass(frozen=True)
class RealRobot:
    """The ranking of several policies in simulation beside that of the published real-robot table."""

    models: Mapping[str, str]
    """Label of a run -> model of the table."""
    ranked: tuple[Ranked, ...]

    columns = ("cell", "policies", "MMRV", "Pearson r")

    def rows(self) -> list[list[str]]:
        """A row a cell; no numbers where fewer than three policies have both rates."""
        return [
            [_name(entry), str(entry.n), *((f"{entry.mmrv:.3f}", f"{entry.pearson:.3f}") if entry.n >= FEWEST else "––")]
            for entry in self.ranked
        ]

    @property
    def notes(self) -> list[str]:
        """What to know about it."""
        who = ", ".join(f"{label} as {model}" for label, model in self.models.items())
        most = max((entry.n for entry in self.ranked), default=0)
        lines = [
            f"Simulated against real success of {_policies(len(self.models))} ({who}); "
            "real rates: SimplerEnv's table (REAL_PERF). MMRV: how much real success two policies differ by where simulation "
            "orders them wrongly, 0 is best; r: Pearson's."
        ]
        if most < FEWEST:
            lines.append(f"A ranking of {_policies(most)}, which have both rates, means nothing: so none is shown.")
        elif most < 6:
            lines.append(f"It rests on {counted(most, 'policy', 'policies')} at most: a single other one may turn it over.")
        return lines

    def to_json(self) -> dict[str, object]:
        """JSON values; no numbers where fewer than three policies have both rates."""
        entries = [
            {
                "cell": e.cell, "setting": e.setting, "policies": e.n, "simulated": dict(e.simulated), "real": dict(e.real),
                "mmrv": e.mmrv if e.n >= FEWEST else None, "pearson": e.pearson if e.n >= FEWEST else None,
            }
            for e in self.ranked
        ]  # fmt: skip
        return {"models": dict(self.models), "cells": entries, "notes": self.notes}


@cache
def real_rates() -> Mapping[str, Mapping[str, float]]:
    """Model -> cell -> success of the real robot, 0..1, as the paper's authors published it."""
    rates: dict[str, dict[str, float]] = {}
    for row in number_rows():
        if row.setting == REAL and not row.secondary:
            whole = {name: score / 100 for name, score in row.scores.items() if not name.endswith(PARTIAL)}
            rates[row.model] = {**whole, **rates.get(row.model, {})}
    return rates


def rank(runs: Sequence[RunData], given: Sequence[str] = ()) -> RealRobot | None:
    """Rank runs beside the real-robot table; None if it has none of their policies.

    Args:
        runs: of several policies; those that the table does not have are left out, and so are those that are not on the
            published initial states.
        given: ``NAME=ROW`` for runs whose policy is called otherwise than the row: a label of a run (or its policy, or
            its folder's name), and a model of the table.

    Raises:
        UserError: a name or a row is not known, or two runs are the same row.
    """
    names = [printable(label) for label in labels(runs)]
    models = {
        name: model
        for name, run in zip(names, runs, strict=True)
        if run.header.identity.benchmark and (model := _known(run.header.options.policy))
    }
    for text in given:
        name, equals, row = text.partition("=")
        if not equals:
            raise UserError(
                f'--real "{printable(text)}" is not NAME=ROW; give a run and a row of the real table, such as mine=RT-1-X.'
            )
        named = _run_of(name, names, runs)
        if not runs[names.index(named)].header.identity.benchmark:
            raise UserError(f"--real {printable(text)}: no number of real robots stands beside {named}; leave it out.")
        models[named] = _row_of(row)
    if not models:
        return None
    for model in models.values():
        twice = [name for name, other in models.items() if other == model]
        if len(twice) > 1:
            raise UserError(f"{' and '.join(twice)} are both {model} of the real-robot table; choose with --real NAME=ROW.")
    by_place: dict[tuple[str, str], dict[str, float]] = {}
    for name, run in zip(names, runs, strict=True):
        if name in models:
            judge = JUDGES[run.header.options.success]
            for entry in rate_rows(run.plan, run.records, judge=judge, repeats=run.header.repeats):
                if entry.rate is not None and entry.name in real_rates()[models[name]]:
                    by_place.setdefault((entry.name, entry.setting), {})[models[name]] = entry.rate
    ranked = [
        Ranked(cell, setting, rates, {model: real_rates()[model][cell] for model in rates})
        for (cell, setting), rates in by_place.items()
    ]
    return RealRobot(models, (*ranked, *_means(ranked)))


def _means(ranked: Sequence[Ranked]) -> list[Ranked]:
    """For each setting, over the policies that have all of its cells, the means of their rates."""
    means = []
    wholes = [config.sub_cells for name, config in cells().cells.items() if any(entry.cell == name for entry in ranked)]
    parts_of_others = {part for sub_cells in wholes if len(sub_cells) > 1 for part in sub_cells}
    for setting in dict.fromkeys(entry.setting for entry in ranked):
        parts = [entry for entry in ranked if entry.setting == setting and entry.cell not in parts_of_others]
        models = [model for model in parts[0].real if all(model in entry.real for entry in parts)]
        if len(parts) > 1 and models:
            simulated = {model: float(np.mean([entry.simulated[model] for entry in parts])) for model in models}
            real = {model: float(np.mean([entry.real[model] for entry in parts])) for model in models}
            means.append(Ranked(MEAN, setting, simulated, real))
    return means


def _known(policy: str) -> str | None:
    """The row of the table that a policy is, by its name or by a name under which it was published."""
    letters = _letters(policy.rpartition(":")[2])
    published = [name for names in (policy_models().get(policy, ()), [policy]) for name in names]
    return next(
        (model for model in real_rates() if model in published or _letters(model) == letters),
        None,
    )


def _policies(n: int) -> str:
    return f"{counted(n, 'policy', 'policies')}"


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9%]", "", name.lower())


def _run_of(name: str, names: Sequence[str], runs: Sequence[RunData]) -> str:
    for label, run in zip(names, runs, strict=True):
        if name in (label, run.header.options.policy, run.path.name):
            return label
    raise UserError(f'--real names no run "{printable(name)}".{did_you_mean(name, names)}')


def _row_of(row: str) -> str:
    found = next((model for model in real_rates() if model == row or _letters(model) == _letters(row)), None)
    if found is None:
        raise UserError(f'The real-robot table has no row "{printable(row)}".{did_you_mean(row, list(real_rates()))}')
    return found


def _name(entry: Ranked) -> str:
    title = entry.cell if entry.cell == MEAN else cells().title_of(entry.cell)
    return f"{title}, {SETTING_TITLES.get(entry.setting, entry.setting)}"
