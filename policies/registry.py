"""From what a user types after ``--policy`` to a policy, and what a run records about it.

Known names come from the entry point group ``simpler_eval.policies``, so that other packages can add theirs.
``module:Class`` takes any importable class, ``path/to/file.py:Class`` one from a file (:mod:`policies.loading`).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import cast

from eval.errors import UserError, did_you_mean
from policies.base import Policy, PolicyDescription, RobotName
from policies.description import PolicyDescriptionError as PolicyDescriptionError
from policies.description import describe_raw
from policies.description import description_of as description_of
from policies.loading import (
    UnknownPolicyError,
    code_hash_of_file,
    load_from_file,
    load_from_module,
    policy_classes,
    policy_in,
)
from policies.loading import class_name as class_name
from policies.loading import one_line as one_line

GROUP = "simpler_eval.policies"
METHODS = ("reset", "act", "describe", "close")
_CODE = "_simpler_eval_code"
"""Attribute of a policy from a user's file: the hash of its code as it was loaded."""


class PolicyOptionError(UserError):
    """A policy does not take the options it was given."""


def policy_names() -> list[str]:
    """Names of all installed policies, sorted."""
    return sorted({point.name for point in importlib.metadata.entry_points(group=GROUP)})


def load_policy(text: str, options: Mapping[str, object] | None = None) -> Policy:
    """Make the policy that ``text`` names, with ``options`` as keyword arguments.

    Raises ``UserError`` if there is none, if it does not take these options, or if it lacks a method of ``Policy``.
    """
    factory, code = _find(text)
    policy = _make(text, factory, dict(options or {}))
    missing = [name for name in METHODS if not callable(getattr(policy, name, None))]
    if missing:
        raise UnknownPolicyError(f"{text} is no policy: it has no method {', '.join(missing)} (see policies/base.py).")
    if code is not None:
        with contextlib.suppress(AttributeError, TypeError, ValueError):  # a class with slots or a frozen dataclass
            setattr(policy, _CODE, code)
    return cast(Policy, policy)


def describe(policy: Policy, name: str | None = None, args: Mapping[str, str] | None = None) -> PolicyDescription:
    """What the run record carries about ``policy``, checked; ``code`` is filled in for policies from users' files.

    A mapping, which ``describe`` gave before version 0.2, is still accepted: keys that are fields of
    :class:`policies.base.PolicyDescription` go there, all others into ``settings``, with the options ``args`` that the policy
    was made with; ``name`` is what the user calls it. Raises ``UserError`` for anything else.
    """
    description = describe_raw(policy, name or type(policy).__name__, args or {})
    return description if description.code is not None else description.model_copy(update={"code": code_hash(policy)})


def check_robots(policy: Policy, robots: Collection[RobotName]) -> None:
    """Ask a policy that has ``check_robots`` whether it can play these robots. Raises UserError, one line, if not."""
    check = getattr(policy, "check_robots", None)
    if check is None:
        return
    try:
        check(robots)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # code of others: whatever it raises, the user wants one line
        raise PolicyOptionError(f"check_robots() of {type(policy).__qualname__} failed: {one_line(error)}") from error


def code_hash(policy: Policy) -> str | None:
    """Hash of a policy's own code (:func:`policies.loading.code_hash_of_file`); None unless it came from a user's file."""
    code = getattr(policy, _CODE, None)
    module = sys.modules.get(type(policy).__module__)
    return code if isinstance(code, str) else code_hash_of_file(module) if module is not None else None


def _make(text: str, factory: Callable[..., object], options: dict[str, object]) -> object:
    try:
        inspect.signature(factory).bind(**options)
    except TypeError as error:
        takes = ", ".join(inspect.signature(factory).parameters) or "no options"
        raise PolicyOptionError(f"Policy {text}: {error}. It takes: {takes} (--policy-arg NAME=VALUE).") from error
    try:
        return factory(**options)
    except UserError:
        raise
    except ModuleNotFoundError as error:
        raise UnknownPolicyError(_lacking(text, error)) from error
    except (Exception, SystemExit) as error:  # code of others: whatever it raises, the user wants one line
        raise PolicyOptionError(f"Policy {text} cannot be made: {one_line(error)}") from error


def _find(text: str) -> tuple[Callable[..., object], str | None]:
    """What makes the policy, and the hash of its code if it is a user's own."""
    if text.endswith(".py"):
        module = load_from_file(Path(text))
        classes = policy_classes(module)
        known = f"it has: {', '.join(classes)}" if classes else "it has no class with a method act"
        raise UnknownPolicyError(f"Policy file {text} needs the name of a class: add :ClassName ({known}).")
    if ":" in text:
        place, _, name = text.rpartition(":")
        if not place or not name:
            raise UnknownPolicyError(f'Policy "{text}" is neither module:Class nor path/to/file.py:Class.')
        module = load_from_file(Path(place)) if place.endswith(".py") else load_from_module(place)
        return policy_in(module, place, name), code_hash_of_file(module)
    points = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    if text not in points:
        raise UnknownPolicyError(f'Unknown policy "{text}".{did_you_mean(text, points)}')
    try:
        return points[text].load(), None
    except ModuleNotFoundError as error:  # an optional part of ours, or a package that lost one of its own
        raise UnknownPolicyError(_lacking(text, error)) from error


def _lacking(text: str, error: ModuleNotFoundError) -> str:
    hint = "make vla installs what policies that are neural networks need"
    return f'Policy {text} needs the package "{error.name}", which is not installed; {hint}.'
