"""Two records that should be equal: the first field in which they differ, as one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from eval.errors import UserError
from eval.nouns import counted
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


def continued_identity(path: Path, before: RunIdentity, now: RunIdentity, policy_changed: bool) -> RunIdentity:
    """Identity of a run in a folder that is continued: ``before``, with the code of the policy added where that has changed.

    So a run of several versions is pooled with no run of only one of them.

    Args:
        path: the folder, for messages.
        before: of the run so far.
        now: of what is to be played.
        policy_changed: whether the policy's own code may be another one; nothing else may.

    Raises:
        UserError: the run may not be continued as this one, or ``policy_changed`` has no effect.
    """
    ours, theirs = (_without_code(identity).model_dump(mode="json") for identity in (before, now))
    for name, mine, other in _differences(ours, theirs, ""):
        raise UserError(
            f"{path} holds a run with {name} {mine!r}, this one has {other!r}; start a new run in another --out, or go on with "
            f"what that run was begun with.{_CODE_ONLY if policy_changed else ''}"
        )
    versions, code = (before.policy.code or "").split("+"), now.policy.code or ""
    if code == versions[-1]:
        if policy_changed and not code:
            raise UserError("--policy-changed has no effect: this policy has no file of its own; leave the option out.")
        return before
    if not policy_changed:
        raise UserError(
            f"The policy's own code has changed since {path} was played ({_short(versions[-1])} then, {_short(code)} now). "
            "Give `run` or `reproduce` --policy-changed to go on with the new code (every title will say so), or start "
            "anew in another --out."
        )
    policy = before.policy.model_copy(update={"code": "+".join((*versions, code))})
    return before.model_copy(update={"policy": policy})


_CODE_ONLY = " --policy-changed is about the policy's code alone."


def another_plan(path: Path, before: int, now: int) -> str:
    """That the folder's run has other episodes; ``before`` and ``now``: how many."""
    if before == now:
        return f"{path} holds a run of another plan (as many episodes, {now}, but not the same ones)"
    return f"{path} holds a run of another plan ({counted(before, 'episode')}, this one has {now})"


def first_difference(ours: BaseModel, theirs: BaseModel) -> str | None:
    """``weights 'a' and not 'b'`` for the first field in which ``theirs`` differs from ``ours``; None if they are equal."""
    for name, mine, other in _differences(ours.model_dump(mode="json"), theirs.model_dump(mode="json"), ""):
        return f"{name} {other!r} and not {mine!r}"
    return None


def _without_code(identity: RunIdentity) -> RunIdentity:
    return identity.model_copy(update={"policy": identity.policy.model_copy(update={"code": None})})


def _short(code: str) -> str:
    return code[:8] or "none"


def _differences(ours: object, theirs: object, name: str) -> Iterator[tuple[str, object, object]]:
    """(dotted name, our value, theirs) of every difference, as deep as both have the place."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in dict.fromkeys((*ours, *theirs)):
            inner = f"{name}.{key}" if name else str(key)
            yield from _differences(ours.get(key), theirs.get(key), inner)
    elif ours != theirs:
        yield name, ours, theirs
