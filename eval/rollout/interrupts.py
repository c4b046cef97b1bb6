"""Ctrl-C and its kin while a run goes on: told apart from what a policy raises itself, and never between a result and its
record.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Interrupts:
    """Stands before the handlers that this process has for ``SIGNALS`` and remembers what they raise.

    Use as a context manager, in the main thread; in any other one, which no signal reaches, it does nothing.
    """

    def __init__(self) -> None:
        self.raised: BaseException | None = None
        """What a handler raised last."""
        self._handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._held = False
        self._pending: list[int] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._handle:  # else somebody else wants to have it now
                signal.signal(number, handler)

    @property
    def in_charge(self) -> bool:
        """Whether the handlers are still ours; libraries may put their own in their place."""
        return all(signal.getsignal(number) == self._handle for number in self._handlers)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            self._pending.append(number)
            return
        try:
            self._handlers[number](number, frame)
        except BaseException as error:
            self.raised = error
            raise

    def hold(self) -> None:
        """From now on a signal waits for :meth:`release`: what is half done is finished first."""
        self._held = True

    def release(self) -> None:
        """What waited is handled now; raises what its handler raises."""
        self._held = False
        while self._pending:
            self._handle(self._pending.pop(0), None)
