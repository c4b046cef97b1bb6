"""What a policy answers, checked before it reaches a world."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.errors import EpisodeLost
from eval.rollout.faults import PolicyFault
from policies.base import Action

Notes = Mapping[str, object]
"""``Action.notes``."""


class CheckedAction(NamedTuple):
    """What a worker is sent."""

    command: tuple[float, ...]
    """(7,) finite numbers."""
    terminate: bool
    notes: Notes
    label: tuple[float, ...] | None = None
    """(7,) ``Action.label``."""


WANTED = "act() must return a list of policies.base.Action, one per observation, such as [Action(row) for row in rows]"
LARGEST = 1e9
"""Of a command's numbers (m, rad); worlds compute in float32, in which squares of larger ones soon overflow."""


def listed(given: Sequence[Action | EpisodeLost], expected: int) -> list[Action | EpisodeLost]:
    """A policy's answer to ``expected`` observations. Raises PolicyFault if it is of another length."""
    kind = type(given).__name__
    if inspect.iscoroutine(given):
        given.close()
        raise PolicyFault("policy gave a coroutine; act() must be a plain function, not async")
    if isinstance(given, str | bytes | Mapping | Set):
        raise PolicyFault(f"policy gave {kind} where a list of actions was expected; {WANTED}")
    try:
        answers = iter(given)
    except TypeError as error:
        raise PolicyFault(f"policy gave {kind} where a list of actions was expected; {WANTED}") from error
    actions = list(itertools.islice(answers, expected + 1))  # a generator may be endless
    if len(actions) != expected:
        count = str(len(given)) if hasattr(given, "__len__") else str(len(actions)) if len(actions) < expected else "more"
        seen = "1 observation" if expected == 1 else f"{expected} observations"
        raise PolicyFault(f"policy gave {count} action{'' if count == '1' else 's'} for {seen}; {WANTED}")
    return actions


def checked(action: Action) -> CheckedAction:
    """An action as plain numbers. Raises PolicyFault for anything else."""
    try:
        given, terminate, notes = action.command, action.terminate, action.notes
    except AttributeError as error:
        raise PolicyFault(f"policy gave {type(action).__name__} that is no Action; {WANTED}") from error
    label = getattr(action, "label", None)
    return CheckedAction(
        _command(given, "an action"),
        terminate if isinstance(terminate, bool) else _truth(terminate),
        notes,
        None if label is None else _command(label, "a label"),
    )


def _command(given: object, what: str) -> tuple[float, ...]:
    command = _numbers(given)
    if command.shape != (7,):
        raise PolicyFault(f"policy gave {what} of shape {command.shape}, not (7,)")
    if not (np.abs(command) < LARGEST).all():
        problem = "too large" if np.isfinite(command).all() else "not finite"
        raise PolicyFault(f"policy gave {what} that is {problem}: {command.tolist()}")
    return tuple(command.tolist())


def _numbers(given: object) -> NDArray[np.float64]:
    if np.ma.is_masked(given):
        raise PolicyFault("policy gave an action in which numbers are masked; it must be 7 real numbers")
    try:
        array = np.asarray(on_host(given))
        if _is_real(array):
            return array.astype(np.float64)
    except Exception as error:  # whatever the array of another library raises
        raise PolicyFault(f"policy gave an Action whose command cannot be read as 7 numbers: {error}") from error
    kind = type(given).__name__ if array.dtype == object else f"{type(given).__name__} ({array.dtype})"
    raise PolicyFault(f"policy gave an Action whose command is a {kind}; it must be 7 real numbers")


def _is_real(array: NDArray[Any]) -> bool:
    """Whether an array holds real numbers; text that looks like some, or an object around nobody knows what, is none."""
    if array.dtype == object:
        return array.ndim > 0 and not any(isinstance(value, str | bytes) for value in array.flat)
    # NumPy itself has no bfloat16: those of other libraries are of kind V, as are records, which are no numbers
    return array.dtype.kind in "biuf" or (array.dtype.kind == "V" and array.dtype.type is not np.void)


def on_host(given: object) -> object:
    """What NumPy can read of a tensor, wherever it lies, whether or not it has a gradient, and of whatever precision."""
    if isinstance(given, list | tuple):
        return [on_host(one) for one in given]
    if not callable(getattr(given, "detach", None)):
        return given
    tensor: Any = given
    tensor = tensor.detach().cpu()
    return tensor.double() if tensor.is_floating_point() else tensor


def _truth(given: object) -> bool:
    """A truth value that is not Python's own: of NumPy, or of a tensor."""
    shown = f"{given!r:.40}" if isinstance(given, str | int | float | None) else f"a {type(given).__name__}"
    try:
        array = np.asarray(on_host(given))
    except Exception as error:
        raise PolicyFault(f"policy gave an Action whose terminate is {shown}; it must be True or False ({error})") from error
    if array.dtype != np.bool_ or array.size != 1:
        raise PolicyFault(f"policy gave an Action whose terminate is {shown}; it must be True or False")
    return bool(array.item())
