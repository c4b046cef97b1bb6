"""Choosing some episodes of a list, evenly. Neither way changes an episode or its id."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Protocol, TypeVar

import numpy as np


class OfVariant(Protocol):
    """An episode, built or not."""

    @property
    def setting(self) -> str:
        """Of its task."""
        ...

    @property
    def variant(self) -> str:
        """Of its setting."""
        ...


Episode = TypeVar("Episode", bound=OfVariant)
GOLDEN_SECTION = (math.sqrt(5) - 1) / 2


def spread(specs: Sequence[Episode], count: int) -> list[Episode]:
    """``count`` of the episodes, evenly over variants and within them, in their old order.

    The variants take turns (in a plan their first axis runs fastest); within a variant the places follow a stride of
    about the golden section, each variant beginning elsewhere.
    """
    cells = groupby(range(len(specs)), key=lambda i: (specs[i].setting, specs[i].variant))
    groups = [list(places) for _, places in cells]
    orders = []
    for number, group in enumerate(groups):
        order = _strided(len(group))
        begin = number * len(group) // len(groups)
        orders.append([group[place] for place in order[begin:] + order[:begin]])
    turns = [order[turn] for turn in range(max(map(len, orders), default=0)) for order in orders if turn < len(order)]
    return [specs[i] for i in sorted(turns[:count])]


def sample(specs: Sequence[Episode], share: float, seed: int) -> list[Episode]:
    """One episode sampled from each of equally long stretches of the list, so every variant gets its share."""
    count = max(1, round(share * len(specs)))
    rng = np.random.RandomState(seed)
    bounds = [stretch * len(specs) // count for stretch in range(count + 1)]
    return [specs[low + int(rng.randint(high - low))] for low, high in pairwise(bounds)]


def _strided(count: int) -> list[int]:
    """0 .. count-1 by steps of about the golden section of ``count``: its first n numbers are spread evenly, for any n."""
    stride = next(step for step in range(math.ceil(GOLDEN_SECTION * count), 2 * count + 1) if math.gcd(step, count) == 1)
    return [i * stride % count for i in range(count)]


def halving(count: int) -> list[int]:
    """0 .. count-1 in an order that halves the gaps again and again: any first n of it are spread evenly.

    Another order than that of :func:`spread`, which may choose among what is ordered like this.
    """
    bits = max(1, (count - 1).bit_length())
    return [number for i in range(2**bits) if (number := int(f"{i:0{bits}b}"[::-1], 2)) < count]
