"""From what a user types after ``--policy`` to a policy.

Known names come from the entry point group ``simpler_eval.policies``, so that other packages can add theirs.
``module:Class`` takes any importable class, ``path/to/file.py:Class`` one from a file.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from eval.errors import UserError, did_you_mean
from policies.base import Policy

GROUP = "simpler_eval.policies"


class UnknownPolicyError(UserError):
    """No policy of that name, module or file."""


class PolicyOptionError(UserError):
    """A policy does not take the options it was given."""


def policy_names() -> list[str]:
    """Names of all installed policies, sorted."""
    return sorted({point.name for point in importlib.metadata.entry_points(group=GROUP)})


def load_policy(text: str, options: Mapping[str, Any] | None = None) -> Policy:
    """Make the policy that ``text`` names, with ``options`` as keyword arguments.

    Raises ``UserError`` if there is none, if it does not take these options, or if it lacks a method of ``Policy``.
    """
    made_by = _find(text)
    options = dict(options or {})
    try:
        inspect.signature(made_by).bind(**options)
    except TypeError as error:
        takes = ", ".join(inspect.signature(made_by).parameters) or "no options"
        raise PolicyOptionError(f"Policy {text}: {error}. It takes: {takes} (--policy-arg NAME=VALUE).") from error
    try:
        policy = made_by(**options)
    except UserError:
        raise
    except ModuleNotFoundError as error:
        raise UnknownPolicyError(_lacking(text, error)) from error
    except Exception as error:  # code of others: whatever it raises, the user wants one line
        raise PolicyOptionError(f"Policy {text} cannot be made: {type(error).__name__}: {error}") from error
    missing = [name for name in ("reset", "act", "describe", "close") if not callable(getattr(policy, name, None))]
    if missing:
        raise UnknownPolicyError(f"{text} is no policy: it has no method {', '.join(missing)} (see policies/base.py).")
    return policy  # type: ignore[no-any-return]


def _find(text: str) -> Any:
    if ":" not in text:
        points = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
        if text not in points:
            raise UnknownPolicyError(f'Unknown policy "{text}".{did_you_mean(text, points)}')
        try:
            return points[text].load()
        except ModuleNotFoundError as error:  # an optional part of ours, or a package that lost one of its own
            raise UnknownPolicyError(_lacking(text, error)) from error
    place, _, name = text.rpartition(":")
    module = _file(Path(place)) if place.endswith(".py") else _module(place)
    if not hasattr(module, name):
        classes = [n for n, value in vars(module).items() if inspect.isclass(value)]
        raise UnknownPolicyError(f'{place} ({module.__file__}) has no "{name}".{did_you_mean(name, classes)}')
    return getattr(module, name)


def _lacking(text: str, error: ModuleNotFoundError) -> str:
    hint = "make vla installs what policies that are neural networks need"
    return f'Policy {text} needs the package "{error.name}", which is not installed; {hint}.'


def _module(name: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # last: a user's file never hides an installed package
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        hint = ""
        local = Path(*name.split(".")).with_suffix(".py")
        if name.split(".")[0] in ("policies", "eval", "task_configs") and local.is_file():
            hint = f" That name belongs to simpler-eval itself; for your file write {local}:Class."
        raise UnknownPolicyError(f'Cannot import "{name}": {error}.{hint}') from error


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UnknownPolicyError(f"Policy file {path} does not exist.")
    spec = importlib.util.spec_from_file_location(f"simpler_eval_user_{path.stem}", path)
    assert spec is not None  # a .py path always has a spec and a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UnknownPolicyError(f"Policy file {path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module
