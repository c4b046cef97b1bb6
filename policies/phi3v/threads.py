"""The same work on many things at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

THREADS = max(1, min(8, len(os.sched_getaffinity(0))))

Given = TypeVar("Given")
Made = TypeVar("Made")


def on_threads(work: Callable[[Given], Made], things: Sequence[Given]) -> list[Made]:
    """``work`` of each; it helps where libraries leave the interpreter free."""
    if len(things) < 2:
        return [work(thing) for thing in things]
    with ThreadPoolExecutor(min(len(things), THREADS)) as pool:
        return list(pool.map(work, things))
