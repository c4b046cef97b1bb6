"""Signals that end a run like Ctrl-C: its results are kept, and it says how to go on."""

from __future__ import annotations

import os
import signal
from types import FrameType


class Stopped(KeyboardInterrupt):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interrupted(Exception):
    """A verb that had nothing to say about it was stopped; the parser would swallow a KeyboardInterrupt without a word."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


def exit_code_of(stop: KeyboardInterrupt) -> int:
    """128 + the signal's number, as shells have it."""
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)


def stop_like_ctrl_c() -> None:
    """Let `kill`, batch systems and the end of the terminal stop a run like Ctrl-C.

    What the caller ignores (`nohup`) stays ignored. After the first signal only Ctrl-C is heard again: some systems send
    several. Processes that a policy forks from this one end as always.
    """
    main, stopping = os.getpid(), False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if os.getpid() != main:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif number == signal.SIGINT or not stopping:
            stopping = True
            raise Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
