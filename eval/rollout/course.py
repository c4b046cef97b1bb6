"""How a session plays: how many workers, with how many episodes each, and how many observations a batch."""

from __future__ import annotations

import math
import os

from eval.backends.base import Backend
from eval.backends.selection import OWN
from eval.errors import UserError
from eval.records.header import Course, RunHeader
from eval.records.options import RunOptions
from eval.rollout.policy_calls import PolicyNeeds
from eval.rollout.scheduling import tracing_workers
from eval.sim import ray_tracing

BESIDE_A_POLICY_THAT_LOOKS = 2
"""Episodes of a worker where images are needed: such policies take their time, in which the worker steps the other one. The
second one adds some 90 MB to a worker's 500."""


def course_of(
    options: RunOptions,
    backend: Backend,
    needs: PolicyNeeds,
    preferred: int | None,
    left: int,
    before: Course | None = None,
    traced: float = 0.0,
) -> Course:
    """What the options leave open is chosen by what is to be played.

    Args:
        options: of the session.
        backend: the world.
        needs: what the policy must be shown.
        preferred: observations that it wants at a time.
        left: episodes that are to be played.
        before: of the run's session before; its batch stays unless the options name one or the policy wants less by now.
        traced: part of their steps for which the original traces rays.

    Raises:
        UserError: the world plays one episode a worker, and several were asked for.
    """
    if options.per_worker is not None and options.per_worker > 1 and not backend.holds_several:
        raise UserError(
            f"--per-worker {options.per_worker} cannot be had: {backend.identity.name} plays one episode a process; leave the "
            "option out."
        )
    workers = max(1, min(options.workers or len(os.sched_getaffinity(0)), left))
    looks = needs.image and backend.identity.name == OWN
    per_worker = options.per_worker or (BESIDE_A_POLICY_THAT_LOOKS if looks else 1)
    batch = options.batch or (before.batch if before is not None else None)
    rendering = backend.identity.rendering
    denoises = needs.image and rendering is not None and rendering.denoiser not in (None, ray_tracing.NONE)
    return Course(
        workers=workers,
        per_worker=max(1, min(per_worker, math.ceil(left / workers))),
        tracing=tracing_workers(workers, traced) if denoises else None,
        batch=min((size for size in (batch, preferred) if size is not None), default=None),
    )


def course_before(header: RunHeader) -> Course | None:
    """Of the newest session before the present one that has played."""
    return next((session.course for session in reversed(header.sessions[:-1]) if session.course is not None), None)


def course_text(course: Course, before: Course | None = None) -> str:
    """One line, with what is another than in the session before."""
    was = before or course
    parts = [_count(course.workers, "worker") + _before(course.workers, was.workers)]
    if course.tracing is not None:
        parts.append(f"{course.tracing} of them tracing rays")
    if course.per_worker > 1 or was.per_worker > 1:
        parts.append(f"{_count(course.per_worker, 'episode')} each{_before(course.per_worker, was.per_worker)}")
    if course.batch is not None:
        parts.append(f"batches of {course.batch}{_before(course.batch, was.batch)}")
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _before(now: int, was: int | None) -> str:
    return "" if was in (now, None) else f" ({was} before)"
