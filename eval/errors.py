"""Errors that the user can fix: shown as one line, exit code 2, no traceback; and those of a run and of its policy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user gave cannot be used; the message says what is wrong and how to fix it."""


INSTALLS = {"vla": "pip install 'simpler-eval[vla]' (in a clone: make vla)"}
"""Extra -> how it comes here, where that is more than pip's line; make takes the small torch where there is no GPU."""


def needs_extra(what: str, package: str | None, extra: str) -> UserError:
    """The error where ``what`` needs a package that is not installed, with the line that installs it."""
    line = INSTALLS.get(extra, f"pip install 'simpler-eval[{extra}]'")
    return UserError(f"{what} needs the package {str(package).split('.')[0]}: {line}.")


class EpisodesErrored(RuntimeError):
    """Episodes of a run have no verdict, because the policy, the world or its process failed; the message says why."""


class PolicyExited(BaseException):
    """A policy asked for the end of the process; the text is how."""


class PolicySilent(BaseException):
    """A policy did not come back from a call; the text is one line."""


class EpisodeLost(Exception):
    """Why one episode cannot go on: a policy gives it in place of an action, or raises it for the episode that it was asked
    about. The text is one line. ``silent``: whoever should have answered did not, so that each further time costs minutes.
    """

    def __init__(self, text: str, silent: bool = False) -> None:
        super().__init__(text)
        self.silent = silent


MANY = 15
"""Names, more than which are no help in a line."""


def did_you_mean(name: str, choices: Iterable[str], otherwise: str = "") -> str:
    """`` Did you mean "x"?`` for the nearest choice, whatever its capitals, or the list of choices when none is near.

    Where they are too many for a line, ``otherwise`` says how to see them.
    """
    known = sorted(set(choices))
    lower = {choice.lower(): choice for choice in known}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5) if len(name) < 200 else []  # it takes its time
    near = near or [lower[text] for text in difflib.get_close_matches(name[:200].lower(), lower, n=1, cutoff=0.5)]
    if near:
        return f' Did you mean "{near[0]}"?'
    if otherwise and len(known) > MANY:
        return f" {otherwise}"
    return f" Known: {', '.join(known)}." if known else ""
