"""What a process of ours begins with: ``python -P entry.py DESCRIPTOR``, started by :mod:`eval.rollout.processes`.

``multiprocessing`` would import the program again that called us, to find its classes: a script without ``if __name__ ==
"__main__":`` would start a second run in every process, a notebook or ``python -`` has no file to import, and a training
script would load its model once more. Nothing of ours needs that, so this file, which is imported by nobody, takes its place.
It imports the standard library alone until the search path is the parent's.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import signal
import sys
from multiprocessing.connection import Connection


def main() -> None:
    """Receive what to call, and call it with the pipe and the arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group of processes; it is the parent's
    connection = Connection(int(sys.argv[1]))
    try:
        path, root, module, function, arguments = connection.recv()
    except (EOFError, ConnectionResetError):
        return  # the parent is gone already
    sys.path[:] = path
    _load_front_door(root)  # whatever the search path holds, `eval` and `policies` are ours from here on
    getattr(importlib.import_module(module), function)(connection, *pickle.loads(arguments))


def _load_front_door(root: str) -> None:
    spec = importlib.util.spec_from_file_location("simpler_eval", os.path.join(root, "simpler_eval.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules["simpler_eval"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()
