"""Parts of a plan for several hosts: shard 2/8 is every eighth episode from the second on, under its own id.

Episodes are dealt in turn, so that every shard has its share of slow tasks and of every variant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from eval.errors import UserError
from eval.nouns import counted

Episode = TypeVar("Episode")


def parse_shard(text: str) -> tuple[int, int]:
    """``"2/8"`` -> (2, 8). Raises UserError for anything that is no shard."""
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if not match:
        raise UserError(f'shard "{text}" is not NUMBER/OF, such as 2/8.')
    number, of = int(match[1]), int(match[2])
    if not 1 <= number <= of:
        raise UserError(f"shard {number}/{of} is out of range; the first number goes from 1 to the second.")
    return number, of


def take_shard(plan: Sequence[Episode], shard: str) -> list[Episode]:
    """The episodes of one shard, in the order of the plan. Raises UserError if it would be empty."""
    number, of = parse_shard(shard)
    part = list(plan[number - 1 :: of])
    if not part:
        raise UserError(
            f"shard {number}/{of} of {counted(len(plan), 'episode')} is empty; make at most {counted(len(plan), 'shard')}."
        )
    return part
