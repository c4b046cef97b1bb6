"""Errors that the user can fix: shown as one line, exit code 2, no traceback; and the error of a run for callers in Python."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user gave cannot be used; the message says what is wrong and how to fix it."""


class EpisodesErrored(RuntimeError):
    """Episodes of a run have no verdict, because the policy, the world or its process failed; the message says why."""


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """`` Did you mean "x"?`` for the nearest choice, or the list of choices when none is near."""
    known = sorted(set(choices))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f' Did you mean "{near[0]}"?'
    return f" Known: {', '.join(known)}." if known else ""
