"""What ends the process without a word (``os._exit``, ``os.exec*``, ``os.abort``) while a policy plays.

In a call of the policy such a function raises :class:`eval.errors.PolicyExited`, a fault like any other. In a thread that the
policy started nothing can be saved but the truth: it is said, and the exit code is not 0. Processes that were forked from
this one do as they wish. A signal that kills (``SIGSEGV``, ``SIGKILL``) and code in C are beyond it; the records are on disk.
"""

from __future__ import annotations

import contextlib
import os
import posix
import sys
import threading
from collections.abc import Callable
from typing import Self

from eval.errors import PolicyExited

NAMES = ("_exit", "abort", "execv", "execve")
"""All others of ``os`` come down to these."""
REAL: dict[str, Callable[..., object]] = {name: getattr(os, name) for name in NAMES}
leave = os._exit
"""The function itself, whatever stands in its place."""

_lock = threading.RLock()
_guards: list[ExitGuard] = []


class ExitGuard:
    """Use as a context manager, in the thread that calls the policy; runs in several threads have one each.

    Args:
        in_call: whether the policy is being called.
    """

    def __init__(self, in_call: Callable[[], bool]) -> None:
        self.in_call = in_call
        self.process, self.thread = os.getpid(), threading.get_ident()

    def __enter__(self) -> Self:
        self.process, self.thread = os.getpid(), threading.get_ident()
        with _lock:
            _guards.append(self)
            for module in (os, posix):
                vars(module).update({name: _instead(name) for name in NAMES})
        return self

    def __exit__(self, *_: object) -> None:
        with _lock:
            _guards.remove(self)
            if not any(guard.process == self.process for guard in _guards):
                for module in (os, posix):
                    vars(module).update(REAL)

    def end_if_forked(self, call: str, error: BaseException | None = None) -> None:
        """End this process if it is a copy that the policy forked: only one of them may go on with the run."""
        if os.getpid() == self.process:
            return
        if isinstance(error, SystemExit):  # a child that ends as it should
            leave(error.code if isinstance(error.code, int) else int(error.code is not None))
        came = "came back" if error is None else f"raised {type(error).__name__}"
        line = f"simpler-eval: a process that the policy forked {came} from {call}; it ends, and the run goes on without it"
        with contextlib.suppress(OSError):
            os.write(2, f"{line} (end it with os._exit).\n".encode())
        leave(1)


def _instead(name: str) -> Callable[..., object]:
    def end(*args: object, **keywords: object) -> object:
        guards = [guard for guard in _guards if guard.process == os.getpid()]
        mine = next((guard for guard in guards if guard.thread == threading.get_ident()), None)
        shown = f"os.{name}({', '.join(f'{value!r:.60}' for value in args[:1])})"
        if mine is not None and mine.in_call():
            raise PolicyExited(shown)
        if guards and mine is None:
            said = f"simpler-eval: a thread of the policy ended the process with {shown}"
            print(f"{said}; what is done is kept, --resume goes on.", file=sys.stderr, flush=True)
            status = args[0] if name == "_exit" and args else 1
            leave(status if isinstance(status, int) and status else 1)
        now = getattr(os, name)  # kept by somebody beyond the run: whoever stands there now decides
        return (REAL[name] if now is end else now)(*args, **keywords)

    return end
