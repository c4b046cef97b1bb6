"""What a policy answers, checked before it reaches a world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

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


def listed(given: Sequence[Action], expected: int) -> list[Action]:
    """A policy's answer to ``expected`` observations. Raises PolicyFault if it is of another length."""
    if not hasattr(given, "__iter__"):
        raise PolicyFault(f"policy gave {type(given).__name__} where a list of actions was expected")
    actions = list(given)
    if len(actions) != expected:
        seen = "1 observation" if expected == 1 else f"{expected} observations"
        raise PolicyFault(f"policy gave {len(actions)} action{'' if len(actions) == 1 else 's'} for {seen}")
    return actions


def checked(action: Action) -> CheckedAction:
    """An action as plain numbers. Raises PolicyFault for anything else."""
    try:
        command = np.asarray(action.command, dtype=np.float64)
        terminate = bool(action.terminate)
        notes = action.notes
    except (AttributeError, TypeError, ValueError) as error:
        raise PolicyFault(f"policy gave {type(action).__name__} that is no Action of 7 numbers") from error
    if command.shape != (7,):
        raise PolicyFault(f"policy gave an action of shape {command.shape}, not (7,)")
    if not np.isfinite(command).all():
        raise PolicyFault(f"policy gave an action that is not finite: {command.tolist()}")
    return CheckedAction(tuple(command.tolist()), terminate, notes)
