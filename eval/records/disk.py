"""How much a run will write, before it is played."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from eval.records.options import RunOptions

EPISODE = 2_500
"""Bytes of an episode's lines in the plan and among the records."""
ACTION = 7 * 8 + 170
"""Bytes a step: the action, and the state that it led to."""
RECORDED = {"none": 0, "lerobot": 22_000, "lerobot-lossless": 117_000}
"""Bytes that ``--record`` keeps a step, as measured on stand-ins."""
FRAME = 4_000
"""Bytes of a video a step, as measured on the original's scenes; what the policy saw is as much again."""
POSTER = 60_000
"""Bytes of the picture that comes with a video."""

UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9}


class Limited(Protocol):
    """An episode, built or not."""

    @property
    def task(self) -> str:
        """Its task."""
        ...

    @property
    def max_steps(self) -> int:
        """Its step limit."""
        ...


def expected_bytes(episodes: Iterable[Limited], options: RunOptions) -> int:
    """Bytes of a run in which every episode takes all its steps. Raises UserError for a ``video`` that is none."""
    from eval.records.videos import VideoRule  # which needs OpenCV

    rule = VideoRule.parse(options.video)
    frame = FRAME * (2 if rule.policy_view else 1)
    filmed: Counter[str] = Counter()
    total = 0
    for episode in episodes:
        total += EPISODE + (0 if options.no_actions else ACTION * episode.max_steps)
        total += RECORDED[options.record] * episode.max_steps
        if rule.kind != "none" and (rule.kind != "first" or filmed[episode.task] < rule.first):
            filmed[episode.task] += 1
            total += frame * (episode.max_steps + 1) + POSTER
    return total * options.repeat


def readable(size: float) -> str:
    """``2_300_000`` -> ``2.3 MB``."""
    unit = next((unit for unit in ("kB", "MB") if size < 1000 * UNITS[unit]), "GB")
    number = size / UNITS[unit]
    return f"{number:.2g} {unit}" if number < 10 else f"{number:,.0f} {unit}"
