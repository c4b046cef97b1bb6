"""Loading tasks by name or from a file, and checking every name in them against the tables."""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cache
from pathlib import Path

import yaml

from eval.errors import UserError, did_you_mean
from eval.tasks.base import TaskBase
from eval.tasks.families import FAMILIES
from eval.tasks.user_tasks import built_in_tasks, user_tasks
from task_configs.schema.parsing import parse, read_yaml
from task_configs.schema.tables import lights, objects, robot_places, robots, scenes
from task_configs.schema.tasks import Setup

FAMILY_FIELDS = ("orientation", "distractors", "object_set", "drawer", "station")
"""Fields of a setup whose values are names that only some families know."""


def task_names() -> tuple[str, ...]:
    """Names of all tasks, the user's among them, sorted."""
    return tuple(sorted({**built_in_tasks(), **user_tasks()}))


def load_task(name: str) -> TaskBase:
    """A task by name. Raises UserError for an unknown name or an unusable file."""
    path = task_file(name)
    return _read_task_once(path, path.stat().st_mtime_ns)


@cache
def _read_task_once(path: Path, _changed: int) -> TaskBase:
    return read_task(path)


def task_file(name: str, otherwise: str = "No task") -> Path:
    """File of a task by name. Raises UserError for an unknown name; ``otherwise`` begins its text."""
    file = user_tasks().get(name) or built_in_tasks().get(name)
    if file is None:
        raise UserError(f'{otherwise} "{name}".{did_you_mean(name, task_names())}')
    return file


def user_task_text(name: str) -> str | None:
    """A user's task as one file that needs no other; None for a built-in one."""
    path = user_tasks().get(name)
    if path is None:
        return None
    load_task(name)
    plain = json.loads(json.dumps(_extended(read_yaml(path), path)))  # no anchors
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120))


def read_task(path: Path) -> TaskBase:
    """A task from a file; every name in it is checked against the tables."""
    data = _extended(read_yaml(path), path)
    family = str(data.get("family")) if isinstance(data, dict) else ""
    if family not in FAMILIES:
        raise UserError(f'{path}: family: no family "{family}".{did_you_mean(family, FAMILIES)}')
    task = parse(FAMILIES[family].task, data, str(path))
    _check_names(task, path)
    return task


def _extended(data: object, path: Path, extending: tuple[Path, ...] = ()) -> object:
    """The content of a task file; ``extends: TASK`` takes from there what the file does not say. Of ``setup`` single
    entries may be changed; anything else is replaced as a whole.
    """
    if not isinstance(data, dict) or "extends" not in data:
        return data
    base_path = task_file(str(data["extends"]), f"{path}: extends: no task")
    if base_path in (chain := (*extending, path)):
        raise UserError(f"{path}: extends: {' -> '.join(file.stem for file in (*chain, base_path))} goes round in a circle.")
    base = _extended(read_yaml(base_path), base_path, chain)
    if not isinstance(base, dict):
        raise UserError(f"{base_path}: is not a task; a task file holds keys and values.")
    setup = {**base.get("setup", {}), **data["setup"]} if isinstance(data.get("setup"), dict) else base.get("setup")
    return {**base, **{key: value for key, value in data.items() if key != "extends"}, "setup": setup}


def _check_names(task: TaskBase, path: Path) -> None:
    for table, model in task.models:
        _known(model, objects(table), f"{path}: object")
    _check_setup(task, task.setup, f"{path}: setup")
    for env_id, choice in task.envs.items():
        _check_setup(task, choice.applied_to(task.setup), f"{path}: envs.{env_id}")
    for name, setting in task.settings.items():
        for place in setting.episodes.robot_places:
            _known(place, robot_places(), f"{path}: settings.{name}.episodes.robot_places")
        for variant in task.variants(name):
            _check_setup(task, variant.setup, f"{path}: settings.{name} ({variant.name})")


def _check_setup(task: TaskBase, setup: Setup, place: str) -> None:
    _known(setup.robot, robots(), f"{place}.robot")
    _known(setup.scene, scenes(), f"{place}.scene")
    _known(setup.lighting, lights(task.lights), f"{place}.lighting")
    _known(setup.view, robots()[setup.robot].views, f"{place}.view")
    for name in setup.place_choices:
        _known(name, robot_places(), f"{place}.place_choices")
    for key in FAMILY_FIELDS:
        name, names = getattr(setup, key), task.known_names.get(key, ())
        if name is not None:
            _known(name, names, f"{place}.{key}")
        elif key in task.required:
            raise UserError(f"{place}.{key}: is missing; add it.{did_you_mean('', names)}")


def _known(name: str, names: Collection[str], place: str) -> None:
    if name not in names:
        raise UserError(f'{place}: no "{name}" here.{did_you_mean(name, names)}')
