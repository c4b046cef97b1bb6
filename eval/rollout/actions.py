"""Query a policy for actions and check what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from policies.base import Action, Observation, Policy

Notes = Mapping[str, object]
"""``Action.notes``."""


class PolicyFault(Exception):
    """A policy raised or answered nonsense; the text is one line."""


class CheckedAction(NamedTuple):
    """What a worker is sent."""

    command: tuple[float, ...]
    """(7,) finite numbers."""
    terminate: bool
    notes: Notes


@dataclass(frozen=True)
class BatchResult:
    """What came of one batch, by episode id."""

    actions: dict[str, CheckedAction]
    faults: dict[str, str] = field(default_factory=dict)
    """Why an episode cannot go on."""
    spoiled: tuple[str, ...] = ()
    """Episodes that must begin again, each in batches of its own: their batch broke, so whose fault it was and what
    the policy now remembers of the others cannot be known."""


def query(policy: Policy, observations: Sequence[Observation]) -> BatchResult:
    """One checked action an observation. Never raises for what the policy does, Ctrl-C apart.

    When a batch of several raises, all are ``spoiled``; one that raises alone is at fault.
    """
    try:
        given = policy.act(observations)
        if len(given) != len(observations):
            raise PolicyFault(f"policy gave {len(given)} actions for {len(observations)} observations")
    except (Exception, SystemExit) as error:  # sys.exit in a policy must not end the run without a word
        if len(observations) == 1:
            return BatchResult({}, {observations[0].episode: one_line(error)})
        return BatchResult({}, spoiled=tuple(observation.episode for observation in observations))
    result = BatchResult({})
    for observation, action in zip(observations, given, strict=True):
        try:
            result.actions[observation.episode] = _checked(action)
        except PolicyFault as fault:
            result.faults[observation.episode] = one_line(fault)
    return result


def _checked(action: Action) -> CheckedAction:
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


def one_line(error: BaseException) -> str:
    """An exception as one line for a record."""
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, PolicyFault) else f"policy raised {type(error).__name__}: {text}"
