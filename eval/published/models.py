"""The shape of published numbers, their sources, and the disagreements about them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from task_configs.schema.parsing import StrictModel

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

    @property
    def line(self) -> str:
        """What is disputed, the values, and how to read them."""
        values = "; ".join(f"({name}) {value}" if len(name) == 1 else f"{name}: {value}" for name, value in self.values.items())
        return ". ".join(part.rstrip(".") for part in (self.what, values, self.read) if part) + "."

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
        """Whether a whole number of successes in N episodes gives it, rounded or cut to its digits."""
        near = round(self.percent * episodes / 100)
        rates = [100 * k / episodes for k in (near - 1, near, near + 1)]
        return any(self.percent in (round(rate, 1), math.floor(10 * rate + 1e-9) / 10, round(rate, 3)) for rate in rates)
