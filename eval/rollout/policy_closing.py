"""The end of a policy: what its ``close()`` raises, or that it does not come back, is a line and costs no result."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from eval.records.escaping import visible
from eval.rollout.exits import leave
from eval.rollout.faults import Fault
from eval.rollout.interrupts import Interrupts
from eval.rollout.policy_calls import PolicyCalls
from eval.rollout.policy_watch import FIRST_TIMES, PolicyWatch
from policies.base import Policy

SECONDS = 30.0
"""That a ``close()`` may take, before it is interrupted."""
Tell = Callable[[str], None]


def close_policy(calls: PolicyCalls, name: str, tell: Tell | None = None) -> None:
    """Let a policy free what it holds; comes back whatever it does. One that cannot even be interrupted ends the process.

    Args:
        calls: the policy.
        name: what it is called.
        tell: told in a line what went wrong; None: it is printed on stderr.
    """
    with PolicyWatch(calls, SECONDS / FIRST_TIMES, None, _last_words):
        fault = calls.close()
    say_of(fault, name, tell)


def close_object(policy: Policy, name: str, tell: Tell | None = None) -> None:
    """:func:`close_policy` for a policy that was called without a guard."""
    with Interrupts() as interrupts, PolicyCalls(interrupts, policy) as calls:
        close_policy(calls, name, tell)


def say_of(fault: Fault | None, name: str, tell: Tell | None = None) -> None:
    """Say what became of a ``close()``, if that is anything."""
    if fault is not None:
        (tell or _print)(f"simpler-eval: close() of {name} failed: {fault.text}")


def _print(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        print(visible(line), file=sys.stderr, flush=True)


def _last_words(text: str) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, f"simpler-eval: {text}; the process ends\n".encode(errors="backslashreplace"))
    leave(1)
