"""Rendering does not survive a fork: the driver's threads stay behind in the parent, and the child waits for them for ever."""

from __future__ import annotations

import os

from eval.errors import UserError

_state = {"rendered": False, "forked": False}


def before_rendering() -> None:
    """Call before anything is rendered. Raises UserError in a process forked from one that had rendered already."""
    if _state["forked"]:
        raise UserError(
            "This process was forked from one in which a scene had been rendered, so its images would never come. Start "
            'workers by spawn (AsyncVectorEnv(..., context="spawn")), or before the first reset with images.'
        )
    _state["rendered"] = True


def _after_fork() -> None:
    _state["forked"] = _state["rendered"]


os.register_at_fork(after_in_child=_after_fork)
