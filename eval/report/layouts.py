"""The tables of the field as data: ``task_configs/published/layouts.yaml``."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

from pydantic import Field, model_validator

from eval.published.numbers import HERE, references
from eval.records.cells import cells
from task_configs.schema.parsing import StrictModel, parse
from task_configs.schema.yaml_files import read_yaml

LayoutName = Literal["simpler", "tracevla"]


class Block(StrictModel):
    """The columns of one robot, once for every setting in which a run has episodes of them."""

    title: str
    settings: Annotated[tuple[str, ...], Field(min_length=1)]
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    """Cells, sub-cells and averages, by name."""
    sources: tuple[str, ...]
    """Whose published rows stand beside."""

    @model_validator(mode="after")
    def _names_exist(self) -> Block:
        known = {*cells().cells, *cells().sub_cells, *cells().averages}
        if unknown := [*({*self.columns} - known), *({*self.sources} - {*references()})]:
            raise ValueError(f"no cell, average or source is called {', '.join(sorted(unknown))}")
        return self


class Layout(StrictModel):
    """A table of the field."""

    title: str
    about: str
    blocks: Annotated[tuple[Block, ...], Field(min_length=1)]


@cache
def layouts() -> dict[str, Layout]:
    """Layouts by the names that ``--layout`` takes."""
    path = HERE / "layouts.yaml"
    return {name: parse(Layout, entry, f"{path}: {name}") for name, entry in read_yaml(path).items()}
