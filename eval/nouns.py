"""Counts in words: ``1 episode``, ``2 episodes``."""

from __future__ import annotations


def noun(count: int, one: str, many: str = "") -> str:
    """What so many are called; ``many``: where that is not ``one`` with an s."""
    return one if count == 1 else many or f"{one}s"


def counted(count: int, one: str, many: str = "") -> str:
    """``1 episode``, ``12 episodes``."""
    return f"{count} {noun(count, one, many)}"


def times(count: int) -> str:
    """``once``, ``12 times``."""
    return "once" if count == 1 else f"{count} times"
