"""What Python callers give to ``eval.run``, checked and put into the form that the command line gives it."""

from __future__ import annotations

import inspect
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType

import numpy as np

from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.given import Text, text_of, texts_of
from eval.plan.options import PlanOptions
from eval.plan.placements import placements_of
from eval.records.options import RunOptions
from policies.base import Policy
from policies.registry import class_name, require_policy

OTHER_KEYWORDS = ("plan", "policy", "out", "shard", "on_start", "listener")
"""Keywords of ``eval.run`` that are no option."""


def episodes_of(plan: Iterable[EpisodeSpec]) -> list[EpisodeSpec]:
    """A plan as a list. Raises UserError for anything that ``make_plan`` does not give, and for one of several placements."""
    specs: list[object] = [plan] if isinstance(plan, EpisodeSpec) or not isinstance(plan, Iterable) else list(plan)
    episodes = [spec for spec in specs if isinstance(spec, EpisodeSpec)]
    if len(episodes) < len(specs) or isinstance(plan, str):
        raise UserError(f"The plan must be a list of episodes, as make_plan gives one; got {repr(plan)[:80]}.")
    counts = Counter(spec.id for spec in episodes)
    twice = next((spec for spec in episodes if counts[spec.id] > 1), None)
    if twice is not None:
        raise UserError(
            f"The plan holds episode {twice.id} of {twice.task} {counts[twice.id]} times; give it once. repeat=N plays a plan "
            "N times."
        )
    placements_of(episodes)
    return episodes


def options_of(policy: Text | Policy, options: Mapping[str, object]) -> tuple[RunOptions, Policy | None]:
    """The options of a run, and the policy if it is an object.

    Args:
        policy: a name, the path of a file with ``:Class``, or an object.
        options: keywords of ``eval.run``.

    Raises:
        UserError: a keyword or a value is not known, or the object is no policy.
    """
    _refuse_unknown([name for name in options if name not in RunOptions.model_fields])
    given = {key: _plain(value) for key, value in options.items()}
    given |= {"policy": policy_name(policy), "policy_args": _policy_args(options.get("policy_args"))}
    if isinstance(assets := options.get("assets"), list | tuple):
        given["assets"] = ",".join(texts_of(assets, "assets"))
    if isinstance(policy, str | os.PathLike):
        return RunOptions.of(given), None
    if given["policy_args"]:
        raise UserError("policy_args has no effect: the policy is an object; give it its options where you make it.")
    return RunOptions.of(given), policy


def policy_name(policy: Text | Policy) -> str:
    """What a policy is called in records. Raises UserError for an object that is none."""
    if isinstance(policy, str | os.PathLike):
        return text_of(policy, "policy")
    called = policy.__name__ if inspect.isclass(policy) else class_name(policy)
    return class_name(require_policy(policy, called))


def called_with(function: object, name: str) -> None:
    """Raises UserError unless ``function`` is None or can be called."""
    if function is not None and not callable(function):
        raise UserError(f"{name} is {function!r:.80}; give a function.")


def _refuse_unknown(names: Sequence[str]) -> None:
    if names:
        if names[0] in PlanOptions.model_fields:
            raise UserError(f'run() has no keyword "{names[0]}": it says what is played; give it to make_plan().')
        known = [*OTHER_KEYWORDS, *RunOptions.model_fields]
        raise UserError(f'run() has no keyword "{names[0]}".{did_you_mean(names[0], known)}')


def _policy_args(args: object) -> dict[str, object]:
    if args is None:
        return {}
    if not isinstance(args, Mapping):
        raise UserError(f"policy_args is {args!r}; give names and values, such as {{'seed': 3}}.")
    for name, value in args.items():
        if not isinstance(value, str | bool | int | float | None | np.generic | os.PathLike):
            kind = type(value).__name__
            raise UserError(f"policy_args: {name} is a {kind}; give a text, a number or a truth value, or a policy object.")
    return {str(name): _plain(value) for name, value in args.items()}


def _plain(value: object) -> object:
    """NumPy's scalars as Python's, paths as text, a module as its name."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, ModuleType):
        return value.__name__
    return os.fspath(value) if isinstance(value, os.PathLike) else value
