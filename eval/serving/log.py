"""What a server says of itself, for whoever runs it; clients never see it."""

from __future__ import annotations

import sys
import threading
import time

from eval.records.escaping import printable

_lock = threading.Lock()


class Log:
    """Lines on stderr, with the time of day; from any thread. Never raises."""

    def __call__(self, line: str, details: str = "") -> None:
        """One line; what clients chose of it is made printable, and so is each line of ``details``, such as a traceback."""
        said = [
            f"{time.strftime('%H:%M:%S')} {printable(line)}",
            *(f"    {part}" for part in map(_plain, details.splitlines())),
        ]
        with _lock:
            try:
                sys.stderr.write("\n".join(said) + "\n")
                sys.stderr.flush()
            except (OSError, ValueError, AttributeError):  # closed, or somebody's code took it away
                return


def _plain(line: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)
