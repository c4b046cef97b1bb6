"""From what a user types after ``--policy`` to a policy, and what a run records about it.

Known names come from the entry point group ``simpler_eval.policies``, so that other packages can add theirs.
``module:Class`` takes any importable class, ``path/to/file.py:Class`` one from a file (:mod:`policies.loading`), and
``vla-eval://HOST:PORT`` and its like are policies that others serve (:mod:`policies.remote`). An object is as good as a name;
:func:`require_policy` checks it.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import importlib.metadata
import inspect
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from eval.errors import UserError, did_you_mean, needs_extra
from policies.base import EpisodeInfo, Policy, PolicyDescription
from policies.description import PolicyDescriptionError as PolicyDescriptionError
from policies.description import describe_raw
from policies.description import description_of as description_of
from policies.loading import (
    UnknownPolicyError,
    code_hash_of_module,
    file_hint,
    load_from_file,
    load_from_module,
    place_of,
    policy_classes,
    policy_in,
    without_our_arguments,
)
from policies.loading import class_name as class_name
from policies.loading import code_hash_of_file as code_hash_of_file
from policies.loading import one_line as one_line

GROUP = "simpler_eval.policies"
METHODS = ("reset", "act", "describe", "close")
VLA_PACKAGES = {"torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "simplejpeg"}
"""Of the extra ``vla``."""
OPTIONAL_METHODS = ("check_episodes", "end")
AHEAD = "prepare_observation"
"""Method that a policy may have; None says that this one has it not."""
CHECK = "check_arguments"
"""Class method that a policy may have."""
NEEDS = ("needs_image", "needs_privileged")
_CODE = "_simpler_eval_code"
"""Attribute of a policy from a user's file: the hash of its code as it was loaded."""


class PolicyOptionError(UserError):
    """A policy does not take the options it was given."""


def policy_names() -> list[str]:
    """Names of all installed policies, sorted."""
    return sorted({point.name for point in importlib.metadata.entry_points(group=GROUP)})


def load_policy(text: str | os.PathLike[str], options: Mapping[str, object] | None = None) -> Policy:
    """Make the policy that ``text`` names, with ``options`` as keyword arguments.

    Raises ``UserError`` if there is none, if it does not take these options, or if it lacks a method of ``Policy``.
    """
    if not isinstance(text, str | os.PathLike) or not isinstance(os.fspath(text), str):
        raise UnknownPolicyError(f"The policy is {text!r:.80}; give its name, or path/to/file.py:Class.")
    if not isinstance(options, Mapping | None):
        raise PolicyOptionError(f"The options of {text} are {options!r:.80}; give names and values, such as {{'seed': 3}}.")
    text = os.fspath(text)
    with without_our_arguments(text):
        factory, code = _find(text)
        policy = require_policy(_make(text, factory, dict(options or {})), text)
    if code is not None:
        with contextlib.suppress(Exception):  # a class with slots, a frozen dataclass, a __setattr__ of its own
            setattr(policy, _CODE, code)
    return policy


def require_policy(policy: object, name: str) -> Policy:
    """``policy``, if it is one. Raises ``UserError`` for what lacks a method, or does not say plainly what it needs."""
    if inspect.isclass(policy):
        raise UnknownPolicyError(f"{name} is a class; give an object of it, such as {policy.__name__}().")
    missing = [method for method in METHODS if not callable(_attribute(policy, method, None))]
    if missing:
        raise UnknownPolicyError(f"{name} is no policy: it has no method {', '.join(missing)} (see policies/base.py).")
    for method in OPTIONAL_METHODS:
        if not callable(_attribute(policy, method, require_policy)):
            raise UnknownPolicyError(f"{name} is no policy: its {method} is no method (see policies/base.py).")
    for method in (*METHODS, *OPTIONAL_METHODS, AHEAD, CHECK):
        _require_that_a_call_runs(_attribute(policy, method, None), method, name)
    for need in NEEDS:
        value = _attribute(policy, need, False)
        if not isinstance(value, bool | np.bool_):
            shown = f"{value!r:.40}" if isinstance(value, str | int | None) else f"a {type(value).__name__}"
            raise UnknownPolicyError(f"{name} is no policy: its {need} is {shown}; it must be True or False.")
    for said in vars(type(policy)):
        if said not in NEEDS and (meant := difflib.get_close_matches(said, NEEDS, n=1, cutoff=0.85)):
            raise UnknownPolicyError(f'{name} says {said}, which nobody reads. Did you mean "{meant[0]}"?')
    return cast(Policy, policy)


def _require_that_a_call_runs(function: object, method: str, name: str) -> None:
    """Raises for a method that only begins to do something when it is awaited or gone through, which nobody does."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise UnknownPolicyError(
            f"{name} is no policy: its {method} is async, so a call would do nothing; write it without async."
        )
    if method != "act" and inspect.isgeneratorfunction(function):  # its actions are gone through
        raise UnknownPolicyError(
            f"{name} is no policy: its {method} yields, so a call would do nothing; write it without yield."
        )


def code_of(text: str) -> str | None:
    """Hash of the code of the policy that ``text`` names, as it is now; None: it is no user's own.

    Raises ``UserError`` if there is no such policy.
    """
    with without_our_arguments(text):
        return _find(text)[1]


def with_device(text: str, options: Mapping[str, object], device: str | None) -> dict[str, object]:
    """``options`` with this ``device``, unless they name one, there is none, or the policy that ``text`` names takes none."""
    given = dict(options)
    if device is not None and "device" not in given and takes_option(text, "device"):
        given["device"] = device
    return given


def takes_option(text: str, option: str) -> bool:
    """Whether the policy that ``text`` names takes this option. Raises ``UserError`` if there is no such policy."""
    with without_our_arguments(text):
        return option in inspect.signature(_find(text)[0]).parameters


def check_policy(text: str, options: Mapping[str, object], later: Collection[str] = (), own: bool = True) -> None:
    """Refuse what can be refused before a policy is made: a word that is mistyped is said before a model is loaded for
    minutes, and before a package that is missing.

    Args:
        text: what names the policy.
        options: of it.
        later: names of further options, whose values are not known yet.
        own: also load a user's own file for it; False: whoever makes the policy does, and watches over what the file does.

    Raises:
        UserError: there is no such policy, it does not take these options, or its class refuses their values
            (``check_arguments``, see :class:`policies.base.Policy`).
    """
    if not own and is_users_own(text):
        return
    with without_our_arguments(text):
        try:
            factory, _ = _find(text)
        except UnknownPolicyError as error:
            if isinstance(error.__cause__, ModuleNotFoundError):
                return  # whoever makes it says so
            raise
        bound = _bound(text, factory, {**options, **dict.fromkeys(later)})
        kind = factory.func if isinstance(factory, functools.partial) else factory
        if not isinstance(inspect.getattr_static(kind, CHECK, None), classmethod):
            return
        bound.apply_defaults()
        given = {name: value for name, value in bound.arguments.items() if name not in later}
        if kind is not factory:  # a server's address is bound already
            given["address"] = text
        try:
            getattr(kind, CHECK)(given)
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as error:  # code of others: whatever it raises, the user wants one line
            raise PolicyOptionError(f"{CHECK}() of {text} failed: {one_line(error)}{place_of(error)}") from error


def is_users_own(text: str) -> bool:
    """Whether ``text`` names a class in a file or a module, not an installed policy or a server."""
    return "://" not in text and (":" in text or text.endswith(".py"))


def _attribute(policy: object, name: str, default: object) -> object:
    """An attribute of a policy. Raises UserError for whatever asking for it raises."""
    try:
        return getattr(policy, name, default)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a property, or a __getattr__ that raises what it likes
        raise UnknownPolicyError(f"{name} of {type(policy).__qualname__} failed: {one_line(error)}{place_of(error)}") from error


def describe(policy: Policy, name: str | None = None, args: Mapping[str, object] | None = None) -> PolicyDescription:
    """What the run record carries about ``policy``, checked; ``code`` is filled in for policies from users' files.

    A mapping, which ``describe`` gave before version 0.2, is still accepted: keys that are fields of
    :class:`policies.base.PolicyDescription` go there, all others into ``settings``, with the options ``args`` that the policy
    was made with; ``name`` is what the user calls it. Raises ``UserError`` for anything else.
    """
    description = describe_raw(policy, name or type(policy).__name__, args or {})
    parts = [part for part in (code_hash(policy), description.code) if part is not None]
    if len(parts) > 1:  # what a policy says itself adds to what we find
        parts = [hashlib.blake2b(" ".join(parts).encode(), digest_size=16).hexdigest()]
    return description.model_copy(update={"code": parts[0] if parts else None})


def check_episodes(policy: Policy, episodes: Sequence[EpisodeInfo]) -> None:
    """Ask a policy that has ``check_episodes`` whether it can play these. Raises UserError, one line, if not."""
    check = getattr(policy, "check_episodes", None)
    if check is None:
        return
    try:
        check(episodes)
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:  # code of others: whatever it raises, the user wants one line
        name = type(policy).__qualname__
        raise PolicyOptionError(f"check_episodes() of {name} failed: {one_line(error)}{place_of(error)}") from error


def code_hash(policy: Policy) -> str | None:
    """Hash of a policy's own code (:func:`policies.loading.code_hash_of_file`), as it was loaded.

    That of an object is of the file that its class is in. None for policies of installed packages, for ours, and for a class
    without a file, as in a notebook.
    """
    code = vars(policy).get(_CODE) if hasattr(policy, "__dict__") else None
    module = sys.modules.get(type(policy).__module__)
    return code if isinstance(code, str) else code_hash_of_module(module) if module is not None else None


def _bound(text: str, factory: Callable[..., object], options: Mapping[str, object]) -> inspect.BoundArguments:
    """The constructor's arguments. Raises PolicyOptionError for those that it does not take."""
    try:
        return inspect.signature(factory).bind(**options)
    except TypeError as error:
        parameters = inspect.signature(factory).parameters
        problem = f"{error}."
        if idle := [name for name in options if name not in parameters]:
            near = difflib.get_close_matches(idle[0], parameters, n=1)
            problem = f"{idle[0]} has no effect on it." + (f' Did you mean "{near[0]}"?' if near else "")
        takes = ", ".join(parameters) or "no options"
        raise PolicyOptionError(f"Policy {text}: {problem} It takes: {takes} (--policy-arg NAME=VALUE).") from error


def _make(text: str, factory: Callable[..., object], options: dict[str, object]) -> object:
    _bound(text, factory, options)
    try:
        return factory(**options)
    except (UserError, KeyboardInterrupt):
        raise
    except ModuleNotFoundError as error:
        raise _lacking(text, error) from error
    except BaseException as error:  # code of others: whatever it raises, the user wants one line
        raise PolicyOptionError(f"Policy {text} cannot be made: {one_line(error)}{place_of(error)}") from error


def _find(text: str) -> tuple[Callable[..., object], str | None]:
    """What makes the policy, and the hash of its code if it is a user's own."""
    if "://" in text:
        return functools.partial(_remote_policy(), text), None
    if text.endswith(".py"):
        module = load_from_file(Path(text))
        classes = policy_classes(module)
        known = f"it has: {', '.join(classes)}" if classes else "it has no class with a method act"
        raise UnknownPolicyError(f"Policy file {text} needs the name of a class: add :ClassName ({known}).")
    if ":" in text:
        place, _, name = text.rpartition(":")
        if not place or not name:
            raise UnknownPolicyError(f'Policy "{text}" is neither module:Class nor path/to/file.py:Class.')
        if name.partition("/")[0].isdecimal() and not place.endswith(".py"):
            from policies.remote.address import addresses_of

            raise UnknownPolicyError(f'Policy "{text}" does not say what its server speaks; write {addresses_of(text)}.')
        module = load_from_file(Path(place)) if place.endswith(".py") else load_from_module(place)
        return policy_in(module, place, name), code_hash_of_module(module)
    points = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    if text not in points and (Path(text).expanduser().is_dir() or "/" in text):
        raise UnknownPolicyError(f'Policy "{text}" is no file with a class; {file_hint(text)}.')
    if text not in points:
        raise UnknownPolicyError(f'Unknown policy "{text}".{did_you_mean(text, points)}')
    try:
        return points[text].load(), None
    except ModuleNotFoundError as error:  # an optional part of ours, or a package that lost one of its own
        raise _lacking(text, error) from error


def _remote_policy() -> Callable[..., object]:
    from policies.remote import RemotePolicy

    return RemotePolicy


def _lacking(text: str, error: ModuleNotFoundError) -> UnknownPolicyError:
    name = str(error.name).split(".")[0]
    if name in VLA_PACKAGES:
        return UnknownPolicyError(str(needs_extra(f"Policy {text}", name, "vla")))
    return UnknownPolicyError(f'Policy {text} needs the package "{name}", which is not installed in {sys.prefix}.')
