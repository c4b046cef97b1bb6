"""Loading tasks by name or from a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from eval.errors import UserError, did_you_mean
from eval.tasks.base import TaskBase
from eval.tasks.checks import check_seeds, check_task
from eval.tasks.extending import Extended, read_extended
from eval.tasks.families import FAMILIES
from eval.tasks.user_tasks import BUILT_IN, built_in_tasks, changed, found, user_tasks
from task_configs.schema.parsing import parse
from task_configs.schema.yaml_files import to_yaml


class NotATask(UserError):
    """The file is a suite."""


def task_names() -> tuple[str, ...]:
    """Names of all tasks, the user's among them, sorted. Whether a file of the user's is a task shows when it is loaded."""
    return tuple(sorted({**built_in_tasks(), **user_tasks()}))


def usable_tasks() -> tuple[Mapping[str, TaskBase], tuple[str, ...]]:
    """All tasks that can be loaded, by name; and a line for every file beside the user's tasks that is none and no suite."""
    tasks: dict[str, TaskBase] = {}
    lines = list(found().unusable.values())
    for name in task_names():
        try:
            tasks[name] = load_task(name)
        except NotATask:
            continue
        except UserError as error:
            lines.append(str(error))
    return tasks, tuple(lines)


def load_task(name: str) -> TaskBase:
    """A task by name. Raises UserError for an unknown name or an unusable file."""
    path = task_file(name)
    known = _LOADED.get(path)
    if known is not None and all(changed(file) == before for file, before in known.files.items()):
        return known.task
    files = {} if path.parent == BUILT_IN else {file: changed(file) for file in _content(path).files}
    _LOADED[path] = _Loaded(read_task(path), files)
    return _LOADED[path].task


class _Loaded(NamedTuple):
    task: TaskBase
    files: dict[Path, int]
    """Of the user's that it was made of -> when they had been changed."""


_LOADED: dict[Path, _Loaded] = {}


def task_file(name: str, otherwise: str = "No task") -> Path:
    """File of a task by name. Raises UserError for an unknown name; ``otherwise`` begins its text."""
    file = user_tasks().get(name) or built_in_tasks().get(name)
    if file is None:
        names = task_names()
        shown = f"`simpler-eval list` shows all {len(names)}."
        raise UserError(f'{otherwise} "{name}".{did_you_mean(name, names, shown)}')
    return file


def require_setting(name: str, setting: str, otherwise: str) -> None:
    """Raise UserError if a task does not have a setting; ``otherwise`` begins its text."""
    known = load_task(name).settings
    if setting in known:
        return
    why = _content(task_file(name)).left_out.get(setting)
    if why is None:
        raise UserError(f'{otherwise} "{setting}".{did_you_mean(setting, known)}')
    raise UserError(f'{otherwise} "{setting}": {why}. Leave one of them out, or write settings of your own.')


def user_task_text(name: str) -> str | None:
    """A user's task as one file that needs no other; None for a built-in one."""
    path = user_tasks().get(name)
    if path is None:
        return None
    load_task(name)
    return to_yaml(json.loads(json.dumps(_content(path).content)))  # no anchors


def task_digest(text: str) -> str:
    """16 hex digits over a task file as :func:`user_task_text` gives it."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def read_task(path: Path) -> TaskBase:
    """A task from a file; every name in it is checked against the tables, and that its episodes differ.

    Raises UserError, which names the file and the place.
    """
    content, _, (_, *bases) = _content(path)
    try:
        return _checked(content, path)
    except UserError as error:
        for base in bases:  # what is wrong there is said of the file that it stands in
            _refuse_same(str(error).removeprefix(str(path)), base)
        raise


def _refuse_same(problem: str, base: Path) -> None:
    """Raise UserError if a file that is extended has the same problem by itself."""
    try:
        read_task(base)
    except UserError as error:
        if problem in str(error):
            raise error from None


def _checked(content: Mapping[str, object], path: Path) -> TaskBase:
    if "family" not in content and "parts" in content:
        raise NotATask(f"{path}: is a suite, no task; give it with --suite.")
    family = content.get("family")
    if family is None:
        raise UserError(f"{path}: family: is missing; add it, or extend a task that has one.{did_you_mean('', FAMILIES)}")
    if not isinstance(family, str) or family not in FAMILIES:
        raise UserError(f'{path}: family: no family "{family}".{did_you_mean(str(family), FAMILIES)}')
    task = parse(FAMILIES[family].task, content, str(path))
    check_task(task, path)
    if path.parent != BUILT_IN:
        check_seeds(task, path)
    return task


def _content(path: Path) -> Extended:
    return read_extended(path, lambda name, by: task_file(name, f"{by}: extends: no task"))
