"""What goes wrong in a policy or in a world: in one line for records, in full for ``errors.log``."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from eval.errors import EpisodeLost, PolicyExited, PolicySilent
from eval.records.errors import kind_of
from eval.records.escaping import printable

TEXT = 500
"""Characters of an error that a record keeps."""
TRACEBACK_LINES, TRACEBACK_WIDTH, FRAMES = 200, 1000, 60
"""Of a traceback; of an endless recursion the innermost frames say everything."""
OURS = str(Path(__file__).parent)


class PolicyFault(Exception):
    """A policy answered nonsense; the text is one line."""


@dataclass(frozen=True)
class Fault:
    """Why something failed."""

    text: str
    """One line."""
    place: str
    """Two faults with the same one are the same fault, whatever numbers their texts hold."""
    traceback: str = ""
    """Several lines; empty if there is none."""
    of_policy: bool = True
    """Else of the world or its process."""
    silent: bool = False
    """Whether the policy did not come back, so that each further one costs minutes."""
    own: bool = False
    """Whether it is known to be of this episode alone, whatever others were asked about with it."""


def fault_of(error: BaseException) -> Fault:
    """What a policy raised as a fault. Never raises, whatever the exception is like."""
    text = one_line(error)
    if isinstance(error, PolicySilent):
        return Fault(text, "silent", _traceback(error), silent=True)
    if isinstance(error, EpisodeLost):
        return Fault(text, kind_of(text), silent=error.silent, own=True)
    if isinstance(error, PolicyFault):
        return Fault(text, kind_of(text))
    return Fault(text, f"{type(error).__qualname__} at {_innermost(error.__traceback__)}", _traceback(error))


def world_fault(text: str, traceback_text: str = "") -> Fault:
    """Why a simulator process was lost."""
    text = _cut(text)
    return Fault(text, kind_of(text), traceback_text, of_policy=False)


def one_line(error: BaseException) -> str:
    """An exception of a policy as one line for a record."""
    if isinstance(error, PolicyFault | PolicySilent | EpisodeLost):
        return _said(error)
    if isinstance(error, PolicyExited):
        return f"policy called {_said(error)}"
    return f"policy raised {type(error).__name__}: {_said(error)}".removesuffix(": ")


def _said(error: BaseException) -> str:
    try:
        return _cut(str(error)[: 10 * TEXT])
    except BaseException as odd:  # code of others, down to the text of its exceptions
        return f"(its text cannot be read, that raised {type(odd).__name__})"


def _cut(text: str) -> str:
    return printable(" ".join(text.split())[:TEXT])


def _innermost(place: TracebackType | None) -> str:
    text = "?"
    while place is not None:
        file = place.tb_frame.f_code.co_filename
        if text == "?" or not file.startswith(OURS):  # what stands in the place of os._exit is ours
            text = f"{file}:{place.tb_lineno}"
        place = place.tb_next
    return text


def _traceback(error: BaseException) -> str:
    place = error.__traceback__
    while place is not None and place.tb_next is not None and place.tb_frame.f_code.co_filename.startswith(OURS):
        place = place.tb_next
    try:
        parts = traceback.format_exception(type(error), error, place, limit=-FRAMES)
        lines = [line[:TRACEBACK_WIDTH] for part in parts for line in part[: 100 * TRACEBACK_WIDTH].splitlines()]
    except BaseException as odd:
        return f"(no traceback: that raised {type(odd).__name__})\n"
    if len(lines) > TRACEBACK_LINES:
        lines[TRACEBACK_LINES // 2 : -TRACEBACK_LINES // 2] = ["  ..."]
    return "\n".join(lines) + "\n"
