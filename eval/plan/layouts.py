"""Where the robot and the objects of an episode stand, and how far apart two initial states are.

A distance is in metres and does not look at what an object is, at its role or at how it is turned: an episode in which two
objects changed places, or another can stands where the can stood, is the same placement. So a distance never says "apart" of
what could be known by heart.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.episode import EpisodeSpec, Vec2

MOVABLE = ("target", "source", "goal", "other")
"""Roles of the objects that make a placement; distractors and fixtures do not."""


class Layout(NamedTuple):
    """What of an initial state is measured."""

    robot: Vec2
    """World position of the base, m."""
    objects: dict[str, Vec2]
    """World position [m] by role, of what is in ``MOVABLE``."""


def layout_of(spec: EpisodeSpec) -> Layout:
    """Where robot and objects of an episode stand."""
    return Layout(spec.robot_xy, {item.role: item.xy for item in spec.objects if item.role in MOVABLE})


def distance(a: EpisodeSpec, b: EpisodeSpec) -> float:
    """m, how far the robot's base or an object would have to be moved at least to make one initial state of the other.

    Objects are matched such that the longest way is shortest; where one episode has fewer (``no_distractor``), the others of
    the second count for nothing. Infinite between families of tasks and between robots.
    """
    if a.rule.family != b.rule.family or a.robot_family != b.robot_family:
        return math.inf
    return float(distances(layout_of(a), [layout_of(b)])[0])


def distances(layout: Layout, others: Sequence[Layout]) -> NDArray[np.float64]:
    """(n,) m, from one layout to each of ``others``, as of :func:`distance`."""
    ways: NDArray[np.float64] = np.linalg.norm(np.array([other.robot for other in others]) - np.array(layout.robot), axis=1)
    ours = list(layout.objects.values())
    for number in {len(other.objects) for other in others}:
        rows = [row for row, other in enumerate(others) if len(other.objects) == number]
        matched = min(number, len(ours))
        if not matched:
            continue
        theirs = np.array([list(others[row].objects.values()) for row in rows])
        between = np.linalg.norm(np.array(ours)[None, :, None] - theirs[:, None], axis=-1)  # (rows, ours, theirs)
        few, many = (between, number) if matched == len(ours) else (between.transpose(0, 2, 1), len(ours))
        matchings = [
            few[:, np.arange(matched), list(order)].max(axis=1) for order in itertools.permutations(range(many), matched)
        ]
        ways[rows] = np.maximum(ways[rows], np.min(matchings, axis=0))
    return ways
