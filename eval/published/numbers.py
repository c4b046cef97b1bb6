"""The published numbers: each with its source, and what is known to be wrong or disputed about it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from task_configs.schema.parsing import StrictModel, parse, read_yaml

HERE = Path(str(resources.files("task_configs"))) / "published"
Percent = Annotated[float, Field(ge=0, le=100)]


class Reference(StrictModel):
    """Where numbers were read."""

    what: str
    where: str
    trust: str
    set: str = ""
    """Name of this set of numbers where a model has several."""
    note: str = ""
    read_through: str = ""
    """How they were read if not in the source itself."""


class NumberRow(StrictModel):
    """A row of a published table."""

    source: str
    model: str
    setting: Literal["visual_matching", "variant_aggregation", "real_robot"]
    scores: dict[str, Percent]
    """Success in percent by cell or sub-cell; ``.partial``: the source object was grasped."""
    average: Percent | None = None
    """As printed."""
    average_over: str = ""
    """Name of the convention by the tasks the table lists; some tables print the mean of something else."""
    overall_of_both_settings: Percent | None = None
    episodes: str = ""
    note: str = ""
    where: str = ""
    secondary: bool = False
    """Extracted by a machine from papers: a pointer to them, not a reference."""


class Disagreement(StrictModel):
    """Where published numbers contradict each other or themselves."""

    what: str
    values: dict[str, str] = Field(default_factory=dict)
    read: str = ""
    """How to read it."""
    about: Literal["cells", "averages"] = "cells"
    models: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()

    def concerns(self, cell: str, setting: str, models: set[str], sources: set[str]) -> bool:
        """Whether it says something about one of these numbers; an empty list of its own concerns all."""
        return (
            self.about == "cells"
            and (not self.cells or cell in self.cells)
            and (not self.settings or setting in self.settings)
            and (not self.models or bool(models & set(self.models)))
            and (not self.sources or bool(sources & set(self.sources)))
        )


@dataclass(frozen=True)
class Published:
    """One published number, printed alike in one or several places."""

    model: str
    percent: float
    sources: tuple[str, ...]
    set: str
    note: str
    episodes: str
    secondary: bool

    def fits(self, episodes: int) -> bool:
        """Whether a whole number of successes in so many episodes gives it, rounded or cut to its digits."""
        near = round(self.percent * episodes / 100)
        rates = [100 * k / episodes for k in (near - 1, near, near + 1)]
        return any(self.percent in (round(rate, 1), math.floor(10 * rate + 1e-9) / 10, round(rate, 3)) for rate in rates)


@cache
def references() -> dict[str, Reference]:
    """Sources by id."""
    path = HERE / "sources.yaml"
    return {name: parse(Reference, entry, f"{path}: {name}") for name, entry in read_yaml(path).items()}


@cache
def number_rows() -> tuple[NumberRow, ...]:
    """All rows, in the order of their sources."""
    path = HERE / "numbers.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    return tuple(parse(NumberRow, row, f"{path}: row {number}") for number, row in enumerate(rows))


@cache
def disagreements() -> dict[str, Disagreement]:
    """Known disagreements by id."""
    path = HERE / "disagreements.yaml"
    return {name: parse(Disagreement, entry, f"{path}: {name}") for name, entry in read_yaml(path).items()}


@cache
def policy_models() -> dict[str, tuple[str, ...]]:
    """Model names under which our policies were published."""
    return {name: tuple(models) for name, models in read_yaml(HERE / "policies.yaml").items()}


def published_numbers(
    cell: str, setting: str, models: tuple[str, ...] | None = None, secondary: bool = False
) -> list[Published]:
    """The numbers of a cell, or of some models; equal numbers of equal models are one, with all their sources."""
    found: dict[tuple[str, float, str, str], list[NumberRow]] = {}
    for row in number_rows():
        wanted = (models is None or row.model in models) and (secondary or not row.secondary)
        if wanted and row.setting == setting and cell in row.scores:
            key = (row.model, row.scores[cell], references()[row.source].set, row.note)
            found.setdefault(key, []).append(row)
    return [
        Published(
            model, percent, tuple(dict.fromkeys(row.source for row in rows)), label, note, rows[0].episodes,
            all(row.secondary for row in rows),
        )
        for (model, percent, label, note), rows in found.items()
    ]  # fmt: skip


def known_disagreements(cell: str, setting: str, numbers: list[Published]) -> list[Disagreement]:
    """What is disputed about these numbers of a cell."""
    models = {number.model for number in numbers}
    sources = {source for number in numbers for source in number.sources}
    return [entry for entry in disagreements().values() if entry.concerns(cell, setting, models, sources)]
