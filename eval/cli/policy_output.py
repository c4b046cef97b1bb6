"""What a policy, its libraries and its processes print is no part of a table or of ``--json``: it goes to stderr."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """While it lasts, both ``sys.stdout`` and file descriptor 1 are stderr; what is printed as the process ends is, too."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    kept = None
    with contextlib.suppress(OSError):  # the caller closed one of them
        kept = os.dup(1)
        os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        ctypes.CDLL(None).fflush(None)  # what C code printed may still wait in its buffer
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)
        atexit.unregister(_for_good)
        atexit.register(_for_good)  # before whatever the policy registered


def _for_good() -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        os.dup2(2, 1)
    sys.stdout = sys.stderr
