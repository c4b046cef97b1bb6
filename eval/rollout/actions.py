"""Ask a policy for actions and check what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from policies.base import Action, Observation, Policy


class PolicyFault(Exception):
    """A policy raised or answered nonsense; the text is one line."""


@dataclass(frozen=True)
class Answers:
    """What came of one batch, by episode id."""

    actions: dict[str, tuple[tuple[float, ...], bool]]
    """(7 finite numbers, terminate)."""
    faults: dict[str, str]
    """Why an episode cannot go on."""
    notes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """``Action.notes`` of every action."""
    spoiled: tuple[str, ...] = ()
    """Episodes that must begin again, each in batches of its own: their batch broke, so whose fault it was and what
    the policy now remembers of the others cannot be known."""


def ask(policy: Policy, observations: Sequence[Observation]) -> Answers:
    """One checked action an observation. Never raises for what the policy does, Ctrl-C apart.

    When a batch of several raises, all are ``spoiled``; one that raises alone is at fault.
    """
    try:
        answers = policy.act(observations)
        if len(answers) != len(observations):
            raise PolicyFault(f"policy gave {len(answers)} actions for {len(observations)} observations")
    except Exception as error:
        if len(observations) == 1:
            return Answers({}, {observations[0].episode: one_line(error)})
        return Answers({}, {}, spoiled=tuple(o.episode for o in observations))
    actions: dict[str, tuple[tuple[float, ...], bool]] = {}
    faults: dict[str, str] = {}
    notes: dict[str, Mapping[str, Any]] = {}
    for observation, answer in zip(observations, answers, strict=True):
        try:
            actions[observation.episode] = _checked(answer)
            notes[observation.episode] = getattr(answer, "notes", {})
        except PolicyFault as fault:
            faults[observation.episode] = one_line(fault)
    return Answers(actions, faults, notes)


def _checked(answer: Action) -> tuple[tuple[float, ...], bool]:
    try:
        world = np.asarray(answer.command, dtype=np.float64)
        terminate = bool(answer.terminate)
    except (AttributeError, TypeError, ValueError) as error:
        raise PolicyFault(f"policy gave {type(answer).__name__} that is no Action of 7 numbers") from error
    if world.shape != (7,):
        raise PolicyFault(f"policy gave an action of shape {world.shape}, not (7,)")
    if not np.isfinite(world).all():
        raise PolicyFault(f"policy gave an action that is not finite: {world.tolist()}")
    return tuple(world.tolist()), terminate


def one_line(error: BaseException) -> str:
    """An exception as one line for a record."""
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, PolicyFault) else f"policy raised {type(error).__name__}: {text}"
