"""What runs in a Ray actor: a relay between the head and a replica, which is a process of its own beside it.

An actor is sent this module by value, since its node may not have this package at all: nothing but the standard library is
imported before :meth:`Node.hello` has looked. What the head and the replica say passes through as bytes.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
from typing import Any

MOST = 64
"""Messages in one answer."""


class Node:
    """The actor's class. Ray calls it from several threads."""

    def __init__(self) -> None:
        self._said: queue.Queue[bytes | None] = queue.Queue()
        self._connection: Any = None
        self._process: Any = None
        self._lock = threading.Lock()

    def hello(self, version: str, sources: str) -> tuple[str, str | None]:
        """Name of the host, and why nothing can be played there; None: it can.

        Args:
            version: of this package on the head.
            sources: hash of its source files there.
        """
        return socket.gethostname(), self._problem(version, sources)

    def _problem(self, version: str, sources: str) -> str | None:
        try:
            import simpler_eval  # noqa: F401  the front door: from here on `eval` is ours
            from eval.records.provenance import sources_hash
            from eval.version import VERSION
        except ImportError as error:
            return f"simpler-eval is not installed for its Python ({sys.executable}): {error}"
        if version != VERSION or sources_hash() != sources:
            ours = "other sources of the same version" if version == VERSION else f"version {VERSION}"
            return f"it has {ours} of simpler-eval than this host ({version}); install the same on every node"
        return None

    def begin(self, setup: bytes) -> None:
        """Start the replica; ``setup`` is a pickled :class:`eval.rollout.replicas.messages.Setup`."""
        begun = threading.Event()
        # a process lives as long as the thread that started it (PR_SET_PDEATHSIG): this one lives on
        threading.Thread(target=self._live, args=(setup, begun), name="replica", daemon=True).start()
        begun.wait()

    def _live(self, setup: bytes, begun: threading.Event) -> None:
        import pickle

        from eval.rollout.processes import start_own
        from eval.rollout.replicas.served import serve

        try:
            self._process, self._connection = start_own(serve, pickle.loads(setup), os.getpid())
        finally:
            begun.set()
        try:
            while True:
                self._said.put(self._connection.recv_bytes())
        except (EOFError, OSError):
            self._said.put(None)

    def send(self, message: bytes) -> None:
        """Pass on to the replica."""
        with self._lock:
            try:
                self._connection.send_bytes(message)
            except OSError:
                return  # its end is found by who listens

    def receive(self, timeout: float) -> tuple[list[bytes], str | None]:
        """What the replica has said within ``timeout`` seconds, and how its process ended if it has."""
        found: list[bytes] = []
        try:
            item = self._said.get(timeout=timeout)
            while item is not None:
                found.append(item)
                if len(found) >= MOST:
                    return found, None
                item = self._said.get_nowait()
        except queue.Empty:
            return found, None
        self._process.join(2.0)
        return found, f"its process ended with code {self._process.exitcode}"
