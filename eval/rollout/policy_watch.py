"""Notices a policy that does not come back from a call.

A thread looks at the clock. A call that takes too long is interrupted where it waits, which makes it a fault of the policy;
if not even that brings it back, the process ends with what is known. The first call of each kind may take ten times as long:
models are downloaded, loaded and compiled in it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

from eval.errors import PolicySilent
from eval.rollout.policy_calls import ACT, MAKE, Call, PolicyCalls

FIRST_TIMES = 10
GRACE_SECONDS = 10.0
"""That an interrupted call may take to come back."""
TELL_SECONDS = 3.0
"""After which a call is said to be waited for."""
TICK_SECONDS = 0.25
SIGNAL = signal.SIGRTMIN + 7
"""Interrupts the main thread; one that nobody else uses."""

Status = Callable[[str | None], None]
"""Told what a run waits for; None: it goes on."""


class PolicyWatch:
    """Use as a context manager, in the thread that calls the policy.

    Args:
        calls: what is watched.
        seconds: that a call may take.
        status: told what is waited for.
        last_words: called with one line if the policy does not come back at all; must end the process.
    """

    def __init__(self, calls: PolicyCalls, seconds: float, status: Status | None, last_words: Callable[[str], None]) -> None:
        self._calls, self._seconds, self._status, self._last_words = calls, seconds, status, last_words
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="policy watch", daemon=True)
        self._main = threading.main_thread().ident if threading.current_thread() is threading.main_thread() else None
        self._late: Call | None = None

    def __enter__(self) -> Self:
        if self._main is not None:
            self._before = signal.signal(SIGNAL, self._interrupt)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        if self._main is not None:
            signal.signal(SIGNAL, self._before)

    def limit(self, call: Call) -> float:
        """Seconds that a call may take."""
        return self._seconds * (FIRST_TIMES if call.number == 1 else 1)

    def _watch(self) -> None:
        call: Call | None = None
        awake = 0.0  # seconds of the present call; a process that was stopped (Ctrl-Z) did not wait
        said, answered, last = False, False, time.monotonic()
        while not self._done.wait(min(TICK_SECONDS, self._seconds / 4)):
            now = time.monotonic()
            passed, last = min(now - last, 4 * TICK_SECONDS), now
            if self._calls.current is not call:
                call, awake, self._late = self._calls.current, 0.0, None
                if said and self._status is not None:
                    self._status(None)
                said = False
            if not answered and self._calls.counts[ACT] and (call is None or call.number > 1):
                answered = True
                if self._status is not None:
                    self._status(None)
            if call is None:
                continue
            awake += passed
            if awake > TELL_SECONDS and self._status is not None:
                self._status(_waiting(call, awake))
                said = True
            if self._late is None and awake > self.limit(call):
                self._late = call
                if self._main is not None:
                    signal.pthread_kill(self._main, SIGNAL)
            elif self._late is not None and awake > self.limit(call) + GRACE_SECONDS:
                self._calls.given_up.set()
                if self._calls.current is call:
                    self._last_words(f"{self._text(call)}, and does not react")
                self._calls.given_up.clear()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """In the main thread: raise where the policy waits, unless it came back meanwhile."""
        if self._late is not None and self._calls.current is self._late:
            raise PolicySilent(self._text(self._late))

    def _text(self, call: Call) -> str:
        return f"policy was silent for {self.limit(call):g} s in {call}"


def _waiting(call: Call, seconds: float) -> str:
    if call.name == MAKE:
        return f"loading the policy, {seconds:.0f} s"
    if call.name == ACT and call.number == 1:
        return f"waiting for the policy's first answer, {seconds:.0f} s"
    return f"waiting for the policy: {call}, {seconds:.0f} s"
