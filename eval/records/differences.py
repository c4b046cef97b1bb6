"""Two records that should be equal: the first field in which they differ, as one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from eval.errors import UserError
from eval.records.header import RunIdentity


def refuse_difference(
    a: Path | str,
    b: Path | str,
    ours: BaseModel,
    theirs: BaseModel,
    ignored: tuple[str, ...] = (),
    hint: str = "",
    prefix: str = "",
) -> None:
    """Raise UserError for the first field in which two models of a kind differ.

    Args:
        a: what the first is of, for the message.
        b: what the second is of.
        ours: of ``a``.
        theirs: of ``b``.
        ignored: dotted names of fields that may differ.
        hint: what to do about it.
        prefix: of the field's name in the message.
    """
    for name, mine, other in _differences(ours.model_dump(mode="json"), theirs.model_dump(mode="json"), ""):
        if not any(name == skipped or name.startswith(f"{skipped}.") for skipped in ignored):
            raise UserError(f"{a} has {prefix}{name} {mine!r}, {b} has {other!r}; {hint}.")


def refuse_another_identity(path: Path, before: RunIdentity, now: RunIdentity) -> None:
    """Raise UserError if a run in a folder may not be continued as another one."""
    for name, mine, other in _differences(before.model_dump(mode="json"), now.model_dump(mode="json"), ""):
        raise UserError(f"{path} holds a run with {name} {mine!r}, this one has {other!r}; choose another --out.")


def _differences(ours: object, theirs: object, name: str) -> Iterator[tuple[str, object, object]]:
    """(dotted name, our value, theirs) of every difference, as deep as both have the place."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in dict.fromkeys((*ours, *theirs)):
            inner = f"{name}.{key}" if name else str(key)
            yield from _differences(ours.get(key), theirs.get(key), inner)
    elif ours != theirs:
        yield name, ours, theirs
