"""What a caller in Python may give where a command line has text: paths of any kind, one name where several may stand."""

from __future__ import annotations

import os
from collections.abc import Iterable
from numbers import Integral, Real
from typing import TypeVar

from eval.errors import UserError

Given = TypeVar("Given")
Text = str | os.PathLike[str]
"""A name, or a path of any kind."""
Texts = Text | Iterable[Text]
"""One, or several."""


def text_of(given: Text, what: str) -> str:
    """A name or a path as text. Raises UserError, which calls it ``what``, for anything else."""
    if isinstance(given, str | os.PathLike):
        text = os.fspath(given)
        if isinstance(text, str):
            return text
    raise UserError(f"{what} is {given!r}; give a text or a path.")


def texts_of(given: Texts | None, what: str) -> list[str]:
    """One or several names or paths as texts: ``"name"`` is one name, not four letters; None: none."""
    if given is None:
        return []
    if isinstance(given, str | bytes | os.PathLike) or not isinstance(given, Iterable):
        return [text_of(given, what)]
    return [text_of(one, what) for one in given]


def number_of(given: Given) -> Given:
    """A number of NumPy's, or of any other kind, as Python's own; anything else as it is."""
    if isinstance(given, int | float):
        return given
    if isinstance(given, Integral):
        return int(given)  # type: ignore[return-value]  # NumPy's int64 is as good as an int
    return float(given) if isinstance(given, Real) else given  # type: ignore[return-value]


def absolute(text: str) -> str:
    """A path that stays the same file wherever the working folder moves; ``~`` is the user's folder."""
    return os.path.abspath(os.path.expanduser(text))


def paths_of_variable(name: str) -> list[str]:
    """The paths in an environment variable, separated as in ``PATH``; absolute in it from the first look on."""
    given = [part for part in os.environ.get(name, "").split(os.pathsep) if part]
    paths = [absolute(part) for part in given]
    if paths != given:
        os.environ[name] = os.pathsep.join(paths)
    return paths


def working_folder() -> str | None:
    """The folder that relative paths mean now; None if it was deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None
