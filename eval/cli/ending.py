"""The end of the process: threads, child processes and exit functions of a policy's hold it up for half a minute at most."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType

TELL_SECONDS, GRACE_SECONDS = 3.0, 30.0
"""After which it is said what is waited for, and after which nobody waits any more: an upload may need a while."""
_REAL = os._exit


class Ending:
    """Watches over the process from its last line to its end; the exit code is that of the command whatever happens.

    Args:
        code: of the command.
    """

    def __init__(self, code: int) -> None:
        self._code, self._process = code, os.getpid()

    def begin(self) -> None:
        """From now on; the main thread is about to end."""
        threading.Thread(target=self._watch, name="ending", daemon=True).start()
        atexit.register(self._guard)  # runs before what a policy registered
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._interrupted)

    def _guard(self) -> None:
        vars(os)["_exit"] = self._exit

    def _exit(self, status: int) -> None:
        """In the place of ``os._exit``: an exit function of the policy's does not make a failed run a good one."""
        _REAL(status if os.getpid() != self._process else self._code or status)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-C: nobody wants to wait for what is left."""
        if threading.main_thread().is_alive():
            signal.default_int_handler(number, frame)
        _REAL(self._code)

    def _watch(self) -> None:
        threading.main_thread().join()
        time.sleep(TELL_SECONDS)
        _say(f"the command is done; waiting for {_left()}, {GRACE_SECONDS:g} s at most")
        time.sleep(GRACE_SECONDS)
        _say("the process ends without it")
        if "multiprocessing" in sys.modules:
            for child in sys.modules["multiprocessing"].active_children():
                child.terminate()
        _REAL(self._code)


def _left() -> str:
    own = (threading.main_thread(), threading.current_thread())
    names = [thread.name for thread in threading.enumerate() if not thread.daemon and thread not in own]
    if names:
        return f"{'a thread' if len(names) == 1 else 'threads'} of the policy ({', '.join(names)})"
    if "multiprocessing" in sys.modules and (children := sys.modules["multiprocessing"].active_children()):
        names = [f"{child.name}, process {child.pid}" for child in children if not child.daemon]
        return f"what the policy started ({'; '.join(names)})"
    return "what the policy does as the program ends"


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"simpler-eval: {text}.\n".encode(errors="backslashreplace"))
