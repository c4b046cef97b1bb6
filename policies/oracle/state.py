"""Reading the simulator's state."""

from __future__ import annotations

from policies.base import DrawerState, Observation, Privileged


def privileged_of(observation: Observation) -> Privileged:
    """The privileged state of an observation. Raises ValueError if it carries none."""
    if observation.privileged is None:
        raise ValueError("the oracle needs the privileged state")
    return observation.privileged


def drawer_of(state: Privileged) -> DrawerState:
    """The drawer that the task is about. Raises ValueError if there is none."""
    if state.drawer is None:
        raise ValueError("the task has no drawer")
    return state.drawer
