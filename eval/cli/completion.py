"""Names that a shell completes after an option. What cannot be read then is not completed, and says nothing."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable

Completer = Callable[[str], list[str]]


def completer(name: str, kind: object) -> Completer | None:
    """For an option by the name of its field and its type; None: files, as shells do."""
    if typing.get_origin(kind) is typing.Literal:
        choices = [str(choice) for choice in typing.get_args(kind)]
        return _starting(lambda: choices)
    return _starting(NAMES[name]) if name in NAMES else None


def _starting(names: Callable[[], Iterable[str]]) -> Completer:
    def complete(incomplete: str) -> list[str]:
        try:
            return sorted(name for name in names() if name.startswith(incomplete))
        except Exception:  # whatever is wrong (a user's task file) is said by the command, not between two keys
            return []

    return complete


def _tasks() -> Iterable[str]:
    from eval.tasks.user_tasks import built_in_tasks, user_tasks

    return {**built_in_tasks(), **user_tasks()}


def _suites() -> Iterable[str]:
    from importlib import resources

    return (path.name.removesuffix(".yaml") for path in resources.files("task_configs").joinpath("suites").iterdir())


def _settings() -> Iterable[str]:
    from eval.tasks.loading import load_task, task_names

    return {setting for task in task_names() for setting in load_task(task).settings}


def _policies() -> Iterable[str]:
    from importlib.metadata import entry_points

    return {point.name for point in entry_points(group="simpler_eval.policies")}


NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "tasks": _tasks,
    "suites": _suites,
    "setting": _settings,
    "policy": _policies,
    "world": lambda: ("simpler-eval", "simpler-env"),
    "video": lambda: ("all", "failures", "first:3", "none", "policy-view"),
    "device": lambda: ("auto", "cpu", "cuda"),
    "dtype": lambda: ("auto", "float32", "bfloat16", "float16"),
    "generation": lambda: ("restricted", "full"),
    "trace_preset": lambda: ("released", "paper"),
    "tracker": lambda: ("auto", "cotracker", "lucas_kanade"),
}
"""Field -> what may follow its option."""
