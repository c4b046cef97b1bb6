"""Task files of the user. A task has the name of its file; the environment variable names the files or their folders, so
that processes started from here know the same tasks.

Whatever else lies in such a folder (a suite, a file whose name is no task's) is in nobody's way: a file is looked at, and its
name is checked, when somebody asks for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from eval.errors import UserError
from eval.given import paths_of_variable
from task_configs.schema.files import is_file, is_folder, is_missing, read_bytes

VARIABLE = "SIMPLER_EVAL_TASKS"
BUILT_IN = Path(str(resources.files("task_configs"))) / "tasks"
ENDINGS = (".yaml", ".yml")


class Found(NamedTuple):
    """What the environment variable leads to."""

    files: Mapping[str, Path]
    """By the name of the task."""
    unusable: Mapping[str, str]
    """Stem of a file that cannot be a task by its name -> why, in one line."""


@cache
def built_in_tasks() -> Mapping[str, Path]:
    """Files of the tasks that come with the package, by name."""
    return {path.stem: path for path in BUILT_IN.glob("*.yaml")}


def user_tasks() -> Mapping[str, Path]:
    """Files of the user's tasks, by name. Raises UserError if the variable names what is not there."""
    return found().files


def found() -> Found:
    """The user's task files, and those that cannot be one by their names. Raises UserError as :func:`user_tasks` does."""
    parts = tuple(_absolute(text) for text in paths_of_variable(VARIABLE))
    return _found(parts, tuple(changed(path) for path in parts))


def add_user_task(path: Path) -> str:
    """Make a task file known here and in processes started from now on; its name. Raises UserError if it cannot be one."""
    if not is_file(path):
        if not is_missing(path):
            read_bytes(path)  # says what it is instead
        raise UserError(f"{path}: there is no such task file.")
    path = path.resolve()
    if why := why_unusable(path):
        raise UserError(why)
    if os.pathsep in str(path):
        raise UserError(f'{path}: "{os.pathsep}" separates the entries of {VARIABLE}; use a path without it.')
    known = user_tasks().get(path.stem)
    if known is not None and known != path:
        raise UserError(_same_name(path, known))
    if known is None:
        os.environ[VARIABLE] = os.pathsep.join(part for part in (os.environ.get(VARIABLE, ""), str(path)) if part)
    return path.stem


def task_name(task: str, beside: Path | None = None) -> str:
    """Name of a task given by name or by the path of its file, which may be relative to the folder ``beside``.

    Raises UserError for a file that cannot be a task by its name.
    """
    if task.endswith(ENDINGS):
        return add_user_task((beside or Path()) / task)
    if task in (unusable := found().unusable):
        raise UserError(unusable[task])
    return task


@lru_cache(maxsize=8)
def _found(parts: tuple[Path, ...], _changed: tuple[int, ...]) -> Found:
    files: dict[str, Path] = {}
    unusable: dict[str, str] = {}
    for path in _files(parts):
        if why := why_unusable(path):
            unusable.setdefault(path.stem, why)
        elif files.setdefault(path.stem, path) != path:
            unusable.setdefault(path.stem, _same_name(path, files[path.stem]))
    return Found(files, unusable)


def why_unusable(path: Path) -> str | None:
    """Why a file cannot be a task by its name, in one line; None if it can."""
    if not re.fullmatch(r"[A-Za-z]\w*", path.stem):
        return f"{path}: a task is called as its file; use letters, digits and _ alone, such as my_task.yaml."
    if path.stem in built_in_tasks():
        return f'{path}: "{path.stem}" is a built-in task; give the file another name.'
    return None


def _same_name(path: Path, other: Path) -> str:
    return f"{path}: {other} is a task of the same name; give one of them another name."


def _absolute(text: str) -> Path:
    try:
        return Path(text).resolve()
    except (OSError, RuntimeError):  # the working folder was deleted; links that lead to each other
        return Path(text)


def changed(path: Path) -> int:
    """When a file or folder was changed last, ns; 0 if that cannot be seen."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _files(parts: tuple[Path, ...]) -> Iterator[Path]:
    for path in parts:
        if is_file(path):
            yield path
            continue
        if not is_folder(path):
            raise UserError(f"{VARIABLE}: {path} is neither a folder of task files nor one of them.")
        try:
            yield from sorted(file for file in path.iterdir() if file.suffix in ENDINGS and not is_folder(file))
        except OSError as error:
            raise UserError(f"{VARIABLE}: {path} cannot be read ({error.strerror}).") from None
