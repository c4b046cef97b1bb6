"""Plan, run and report SIMPLER episodes.

The public functions are loaded when first used, so that ``import eval`` costs next to nothing and a worker imports no more
than it needs. ``docs/python.md`` shows how they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from eval.assets.check import check_assets as check_assets
    from eval.assets.fetch import fetch_assets as fetch_assets
    from eval.diagnostics.doctor import run_doctor as run_doctor
    from eval.diagnostics.smoke import run_smoke as run_smoke
    from eval.parity.recordings.world import compare_world as compare_world
    from eval.plan.suites import make_plan as make_plan
    from eval.published.reproduce import reproduce as reproduce
    from eval.records.folder import load_run as load_run
    from eval.records.merging import load_runs as load_runs
    from eval.records.tables import write_tables as write_tables
    from eval.rollout.run import run as run
    from eval.simpler_api.dropin.make import make as make

_PUBLIC = {
    "check_assets": "eval.assets.check",
    "compare_world": "eval.parity.recordings.world",
    "fetch_assets": "eval.assets.fetch",
    "load_run": "eval.records.folder",
    "load_runs": "eval.records.merging",
    "make": "eval.simpler_api.dropin.make",
    "make_plan": "eval.plan.suites",
    "reproduce": "eval.published.reproduce",
    "run": "eval.rollout.run",
    "run_doctor": "eval.diagnostics.doctor",
    "run_smoke": "eval.diagnostics.smoke",
    "write_tables": "eval.records.tables",
}

__all__ = [
    "check_assets",
    "compare_world",
    "fetch_assets",
    "load_run",
    "load_runs",
    "make",
    "make_plan",
    "reproduce",
    "run",
    "run_doctor",
    "run_smoke",
    "write_tables",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  module attributes have any type
    if name not in _PUBLIC:
        raise AttributeError(f"module 'eval' has no attribute {name!r}")
    function = globals()[name] = with_hints(getattr(importlib.import_module(_PUBLIC[name]), name))
    return function


def with_hints(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose error for a keyword that it does not have names the nearest one."""
    import functools
    import inspect

    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return function  # it looks at them itself

    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  whatever the function takes
        for keyword in keywords.keys() - parameters.keys():
            hint = importlib.import_module("eval.errors").did_you_mean(keyword, parameters)
            raise TypeError(f'{function.__name__}() has no keyword "{keyword}".{hint}')
        return function(*arguments, **keywords)

    return call
