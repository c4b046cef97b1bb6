"""The layout of published tables: cells, the sub-cells they are means of, and the averages over them."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from task_configs.schema.parsing import StrictModel, parse
from task_configs.schema.yaml_files import read_yaml

FILE = Path(str(resources.files("task_configs"))) / "published" / "cells.yaml"
Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Source(StrictModel):
    """Where the episodes of a sub-cell come from."""

    tasks: Names
    """All of them are needed."""
    variants: str = "*"
    """Name pattern, as in a shell."""


class SubCell(StrictModel):
    """The smallest number a published table holds: a mean over the variants of some tasks."""

    title: str
    sources: Annotated[tuple[Source, ...], Field(min_length=1, alias="from")]
    """The same scenes by other task names; the first that a plan has is taken."""
    parts: str = ""
    """What its tasks are called together, if there are several."""


class Cell(StrictModel):
    """A column of a published table: the mean of its sub-cells."""

    title: str
    sub_cells: Names
    parts: str = ""
    """What its sub-cells are called together."""


class Average(StrictModel):
    """One of the conventions that go by the name of average."""

    title: str
    about: str
    of: Names
    """Cells or sub-cells."""
    over_settings: tuple[str, ...] = ()
    """Settings whose cells all enter; none given: one average for each setting."""


class Cells(StrictModel):
    """All of ``cells.yaml``."""

    settings: Names
    sub_cells: dict[str, SubCell]
    cells: dict[str, Cell]
    averages: dict[str, Average]

    @model_validator(mode="after")
    def _names_exist(self) -> Cells:
        for name, cell in self.cells.items():
            if unknown := set(cell.sub_cells) - set(self.sub_cells):
                raise ValueError(f"cell {name} names no sub-cell {', '.join(sorted(unknown))}")
        for name, average in self.averages.items():
            if unknown := set(average.of) - set(self.sub_cells) - set(self.cells):
                raise ValueError(f"average {name} names no cell {', '.join(sorted(unknown))}")
        return self

    def sub_cells_of(self, name: str) -> tuple[str, ...]:
        """Names of the sub-cells of a cell; of a sub-cell, itself."""
        return self.cells[name].sub_cells if name in self.cells else (name,)

    def title_of(self, name: str) -> str:
        """How tables head a cell or sub-cell."""
        return self.cells[name].title if name in self.cells else self.sub_cells[name].title


@cache
def cells() -> Cells:
    """The columns of published tables and how each is averaged."""
    return parse(Cells, read_yaml(FILE), str(FILE))
