"""What a success rule may look at, and what it says. Nothing here knows a simulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eval.episode import EpisodeSpec

Array = NDArray[np.floating[Any]]
Stat = bool | int | float | str


@dataclass(frozen=True)
class Facts:
    """The world as it stands after a control step (contacts: after its last substep)."""

    poses: Mapping[str, Array]
    """(7,) x y z qw qx qy qz of every object's actor frame, world, by name."""
    centers: Mapping[str, Array]
    """(3,) centre of mass of every object, world, m, by name."""
    is_grasped: Callable[[str, float], bool]
    """Object name and greatest angle [degrees] between impulse and opening direction -> grasp test (spec 3.5, 4)."""
    foreign_contact: Callable[[str, frozenset[str]], bool]
    """Object name and allowed others -> whether anything but robot links and the allowed presses on the object."""
    reference_heights: Mapping[str, float] | None = None
    """At the start only: height [m] of every object's actor frame as it came to rest. A grasp target's is taken before
    the distractors fall, so it may differ from ``poses``; None: the heights in ``poses``."""
    drawers: Mapping[str, float] = field(default_factory=dict)
    """m, how far every drawer of the cabinet is open, by name; single precision, as the original reads it."""
    lies_in_drawer: Callable[[str, str], bool] = lambda name, drawer: False
    """Object name and drawer -> whether the two press on each other at the drawer's floor (spec tasks 5)."""

    def reference_height(self, name: str) -> float:
        """Height [m] that later heights of this object are compared with."""
        if self.reference_heights is None:
            return float(self.poses[name][2])
        return float(self.reference_heights[name])


@dataclass(frozen=True)
class TaskResult:
    """Verdict on one control step."""

    success: bool
    flags: Mapping[str, bool]
    """What the original's step info says besides success and statistics."""
    episode_stats: Mapping[str, Stat]
    """Statistics of the episode so far, in the original's order."""


class TaskRule(Protocol):
    """Success rule of one episode; ``evaluate`` is called exactly once a control step, since rules count steps."""

    @property
    def instruction(self) -> str:
        """What the policy is told to do now."""
        ...

    @property
    def is_final_subtask(self) -> bool:
        """Whether the policy's "done" may end the episode."""
        ...

    def reset(self, facts: Facts) -> None:
        """Begin an episode whose objects have come to rest as ``facts`` says."""
        ...

    def initial_stats(self) -> dict[str, Stat]:
        """Statistics before the first step."""
        ...

    def evaluate(self, facts: Facts) -> TaskResult:
        """Verdict on the step that led to ``facts``."""
        ...

    def advance(self) -> None:
        """Begin the next subtask; does nothing in the last one."""
        ...


class SingleInstruction:
    """Tasks of one subtask: one instruction, and "done" ends the episode."""

    def __init__(self, spec: EpisodeSpec) -> None:
        self._instruction = spec.instruction

    @property
    def instruction(self) -> str:
        """The episode's instruction."""
        return self._instruction

    @property
    def is_final_subtask(self) -> bool:
        """Always."""
        return True

    def advance(self) -> None:
        """There is no other subtask."""


def model_with_role(spec: EpisodeSpec, role: str) -> str:
    """Name of the episode's object in this role."""
    return next(entry.model for entry in spec.objects if entry.role == role)


def model_sizes(spec: EpisodeSpec) -> dict[str, tuple[float, float, float]]:
    """(3,) m, box of every object along its model's axes, by name."""
    return {entry.model: entry.size for entry in spec.objects}


def turned_boxes(facts: Facts, sizes: Mapping[str, tuple[float, float, float]], names: Sequence[str]) -> dict[str, Array]:
    """(3,) m, boxes turned as the objects lie. Turned as vectors, without absolute values: entries may become negative,
    and only their lengths and differences mean something (spec tasks 2).
    """
    return {name: rotated(facts.poses[name][3:], sizes[name]) for name in names}


def rotated(quat: Array, vector: tuple[float, float, float]) -> NDArray[np.float64]:
    """(3,) vector turned by a quaternion w x y z."""
    w, axis = float(quat[0]), np.asarray(quat[1:], dtype=np.float64)
    v = np.asarray(vector, dtype=np.float64)
    return np.asarray(v + 2 * w * np.cross(axis, v) + 2 * np.cross(axis, np.cross(axis, v)))


def flat_distance(a: Array, b: Array) -> float:
    """m, in the table plane."""
    return float(np.linalg.norm(np.asarray(a, dtype=np.float64)[:2] - np.asarray(b, dtype=np.float64)[:2]))
