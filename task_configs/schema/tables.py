"""The tables of robots, scenes, lights and objects, read by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from eval.errors import UserError, did_you_mean
from task_configs.schema.parsing import StrictModel, parse
from task_configs.schema.tasks import RobotPlace
from task_configs.schema.world import LightSet, ObjectModel, Robot, Scene
from task_configs.schema.yaml_files import read_mapping

DATA = Path(__file__).parents[1]
Entry = TypeVar("Entry", bound=StrictModel)


@cache
def robots() -> Mapping[str, Robot]:
    """Robots by uid."""
    return _table("robots.yaml", Robot)


@cache
def scenes() -> Mapping[str, Scene]:
    """Stages by name."""
    return _table("scenes.yaml", Scene)


@cache
def lights(family: str) -> Mapping[str, LightSet]:
    """Light sets of a family by name. Raises UserError for an unknown family."""
    return _nested_table("lights.yaml", family, LightSet)


@cache
def objects(table: str) -> Mapping[str, ObjectModel]:
    """Objects of one of the original's tables by model id. Raises UserError for an unknown table."""
    return _nested_table("objects.yaml", table, ObjectModel)


@cache
def robot_places() -> Mapping[str, RobotPlace]:
    """Where the robot stood for the photos of the cabinet, by name."""
    return _table("robot_places.yaml", RobotPlace)


@cache
def light_families() -> frozenset[str]:
    """Names that :func:`lights` knows."""
    return frozenset(_content("lights.yaml"))


@cache
def object_tables() -> frozenset[str]:
    """Names that :func:`objects` knows."""
    return frozenset(_content("objects.yaml"))


@cache
def _content(file: str) -> dict[str, Any]:
    return read_mapping(DATA / file)


def _table(file: str, model: type[Entry]) -> dict[str, Entry]:
    return {name: parse(model, entry, f"{DATA / file}: {name}") for name, entry in _content(file).items()}


def _nested_table(file: str, key: str, model: type[Entry]) -> dict[str, Entry]:
    tables = _content(file)
    if key not in tables:
        raise UserError(f'{DATA / file}: no table "{key}".{did_you_mean(key, tables)}')
    return {name: parse(model, entry, f"{DATA / file}: {key}.{name}") for name, entry in tables[key].items()}
