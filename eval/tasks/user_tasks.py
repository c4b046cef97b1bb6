"""Task files of the user. A task has the name of its file; the environment variable names the files or their folders, so
that processes started from here know the same tasks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path

from eval.errors import UserError
from eval.given import paths_of_variable

VARIABLE = "SIMPLER_EVAL_TASKS"
BUILT_IN = Path(str(resources.files("task_configs"))) / "tasks"
ENDINGS = (".yaml", ".yml")


@cache
def built_in_tasks() -> Mapping[str, Path]:
    """Files of the tasks that come with the package, by name."""
    return {path.stem: path for path in BUILT_IN.glob("*.yaml")}


def user_tasks() -> Mapping[str, Path]:
    """Files of the user's tasks, by name. Raises UserError for a name that cannot be used, or is used twice."""
    files: dict[str, Path] = {}
    for path in _named_files():
        if not re.fullmatch(r"[A-Za-z]\w*", path.stem):
            raise UserError(f"{path}: a task is called as its file; use letters, digits and _ alone, such as my_task.yaml.")
        if path.stem in built_in_tasks():
            raise UserError(f'{path}: "{path.stem}" is a built-in task; give the file another name.')
        if files.setdefault(path.stem, path) != path:
            raise UserError(f"{path}: {files[path.stem]} is a task of the same name; give one of them another name.")
    return files


def add_user_task(path: Path) -> str:
    """Make a task file known here and in processes started from now on; its name."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such task file.")
    path = path.resolve()
    if user_tasks().get(path.stem) != path:
        before = os.environ.get(VARIABLE, "")
        os.environ[VARIABLE] = os.pathsep.join(part for part in (before, str(path)) if part)
        try:
            user_tasks()
        except UserError:
            os.environ[VARIABLE] = before
            raise
    return path.stem


def task_name(task: str, beside: Path | None = None) -> str:
    """Name of a task given by name or by the path of its file, which may be relative to the folder ``beside``."""
    return add_user_task((beside or Path()) / task) if task.endswith(ENDINGS) else task


def _named_files() -> Iterator[Path]:
    for text in paths_of_variable(VARIABLE):
        path = Path(text).resolve()
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.suffix in ENDINGS)
        elif path.is_file():
            yield path
        else:
            raise UserError(f"{VARIABLE}: {text} is neither a folder of task files nor one of them.")
