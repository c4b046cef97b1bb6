"""What is wrong with a file of a dataset, in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from eval.errors import UserError

SHOWN = 200
"""Characters of what a library says."""


@contextlib.contextmanager
def damage(path: Path | str) -> Iterator[None]:
    """Turns what a file refuses, or that it holds another thing than it should, into one line."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException, ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise damaged(path, error) from error


def damaged(path: Path | str, error: Exception) -> UserError:
    """The line for a file that cannot be read because of an error."""
    text = " ".join(str(error).split())[:SHOWN]
    return UserError(f"{path} of the dataset cannot be read ({type(error).__name__}: {text}); fetch or write it anew.")
