"""Loading tasks, suites and tables by name."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from eval.errors import UserError, did_you_mean
from task_configs.families import FAMILIES, UNTURNED, CabinetTask, GraspTask, MoveNearTask, PutOnTask, Task
from task_configs.own import ENDINGS, built_in_tasks, own_tasks, task_called
from task_configs.schema.parsing import StrictModel, parse, read_yaml
from task_configs.schema.tasks import RobotPlace, Setup, Suite
from task_configs.schema.world import LightSet, ObjectModel, Robot, Scene

HERE = Path(__file__).parent
STATIONS = ("mk_station", "mk_station2", "mk_station3", "mk_station4", "mk_station_recolor")
"""Cabinet files (spec tasks 4); they differ in colours alone."""
Entry = TypeVar("Entry", bound=StrictModel)


def task_names() -> tuple[str, ...]:
    """Names of all tasks, the user's own among them, sorted."""
    return tuple(sorted({**built_in_tasks(), **own_tasks()}))


def suite_names() -> tuple[str, ...]:
    """Names of all suites, sorted."""
    return tuple(sorted(path.stem for path in (HERE / "suites").glob("*.yaml")))


def load_task(name: str) -> Task:
    """A task by name. Raises UserError for an unknown name or an unusable file."""
    path = _task_file(name)
    return _read_task_once(path, path.stat().st_mtime_ns)


@cache
def _read_task_once(path: Path, _changed: int) -> Task:
    return read_task(path)


def _task_file(name: str, said: str = "No task") -> Path:
    file = own_tasks().get(name) or built_in_tasks().get(name)
    if file is None:
        raise UserError(f'{said} "{name}".{did_you_mean(name, task_names())}')
    return file


def own_task_text(name: str) -> str | None:
    """A user's task as one file that needs no other; None for a built-in one."""
    path = own_tasks().get(name)
    if path is None:
        return None
    load_task(name)
    plain = json.loads(json.dumps(_extended(read_yaml(path), path)))  # no anchors
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120))


def load_suite(name: str) -> Suite:
    """A suite by name, or from a ``.yaml`` file by path. Raises UserError for an unknown name or an unusable file."""
    if name.endswith(ENDINGS):
        return read_suite(Path(name))
    if name not in suite_names():
        raise UserError(f'No suite "{name}".{did_you_mean(name, suite_names())}')
    return read_suite(HERE / "suites" / f"{name}.yaml")


def read_task(path: Path) -> Task:
    """A task from a file; every name in it is checked against the tables."""
    data = _extended(read_yaml(path), path)
    family = str(data.get("family")) if isinstance(data, dict) else ""
    if family not in FAMILIES:
        raise UserError(f'{path}: family: no family "{family}".{did_you_mean(family, FAMILIES)}')
    task = parse(FAMILIES[family], data, str(path))
    _check_names(task, path)
    return task


def _extended(data: Any, path: Path, extending: tuple[Path, ...] = ()) -> Any:
    """The content of a task file; ``extends: TASK`` takes from there what the file does not say. Of ``setup`` single
    entries may be changed; anything else is replaced as a whole.
    """
    if not isinstance(data, dict) or "extends" not in data:
        return data
    base_path = _task_file(str(data["extends"]), f"{path}: extends: no task")
    if base_path in (chain := (*extending, path)):
        raise UserError(f"{path}: extends: {' -> '.join(file.stem for file in (*chain, base_path))} goes round in a circle.")
    base = _extended(read_yaml(base_path), base_path, chain)
    setup = {**base.get("setup", {}), **data["setup"]} if isinstance(data.get("setup"), dict) else base.get("setup")
    return {**base, **{key: value for key, value in data.items() if key != "extends"}, "setup": setup}


def read_suite(path: Path) -> Suite:
    """A suite from a file; its tasks and settings are checked. A task may be a file, named relative to the suite's."""
    suite = parse(Suite, read_yaml(path), str(path))
    parts = []
    for number, part in enumerate(suite.parts):
        place = f"{path}: parts.{number}"
        name = task_called(part.task, path.parent)
        _task_file(name, f"{place}.task: no task")
        known = load_task(name).settings
        if part.setting not in known:
            raise UserError(f'{place}.setting: no setting "{part.setting}".{did_you_mean(part.setting, known)}')
        parts.append(part.model_copy(update={"task": name}))
    return suite.model_copy(update={"parts": tuple(parts)})


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
    """Light sets of a family by name."""
    return _nested_table("lights.yaml", family, LightSet)


@cache
def objects(table: str) -> Mapping[str, ObjectModel]:
    """Objects of one of the original's tables by model id."""
    return _nested_table("objects.yaml", table, ObjectModel)


@cache
def robot_places() -> Mapping[str, RobotPlace]:
    """Where the robot stood for the photos of the cabinet, by name."""
    return _table("robot_places.yaml", RobotPlace)


def counts_in_average(task: str, setting: str, variant: str) -> bool:
    """Whether a variant counts in the published average of its setting; True for variants no setting lists."""
    found = load_task(task)
    if setting not in found.settings:
        return True
    return next((v.in_average for v in found.variants(setting) if v.name == variant), True)


def _table(file: str, model: type[Entry]) -> dict[str, Entry]:
    return {name: parse(model, entry, f"{HERE / file}: {name}") for name, entry in read_yaml(HERE / file).items()}


def _nested_table(file: str, key: str, model: type[Entry]) -> dict[str, Entry]:
    tables = read_yaml(HERE / file)
    if key not in tables:
        raise UserError(f'{HERE / file}: no table "{key}".{did_you_mean(key, tables)}')
    return {name: parse(model, entry, f"{HERE / file}: {key}.{name}") for name, entry in tables[key].items()}


def _check_names(task: Task, path: Path) -> None:
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


def _check_setup(task: Task, setup: Setup, place: str) -> None:
    _known(setup.robot, robots(), f"{place}.robot")
    _known(setup.scene, scenes(), f"{place}.scene")
    _known(setup.lighting, lights(task.lights), f"{place}.lighting")
    _known(setup.view, robots()[setup.robot].views, f"{place}.view")
    for name in setup.place_choices:
        _known(name, robot_places(), f"{place}.place_choices")
    sets = task.object_sets if isinstance(task, MoveNearTask | PutOnTask) else {}
    for key, known in {
        "orientation": [*task.orientations, UNTURNED] if isinstance(task, GraspTask) else [],
        "distractors": task.distractor_sets if isinstance(task, GraspTask) else [],
        "object_set": sets,
        "drawer": task.drawers if isinstance(task, CabinetTask) else [],
        "station": STATIONS if isinstance(task, CabinetTask) else [],
    }.items():
        if getattr(setup, key) is not None:
            _known(getattr(setup, key), known, f"{place}.{key}")
    if isinstance(task, CabinetTask) and setup.station is None:
        raise UserError(f"{place}.station: is missing; add it.{did_you_mean('', STATIONS)}")


def _known(name: str, names: Collection[str], place: str) -> None:
    if name not in names:
        raise UserError(f'{place}: no "{name}" here.{did_you_mean(name, names)}')
