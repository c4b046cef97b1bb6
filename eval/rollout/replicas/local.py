"""Replicas as processes of this machine, one a GPU or several that share the cores."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait

from eval.rollout.processes import Process, start_own
from eval.rollout.replicas import messages
from eval.rollout.replicas.messages import Setup
from eval.rollout.replicas.served import serve
from eval.rollout.replicas.team import Team


class LocalTeam(Team):
    """One process a setup.

    Args:
        names: of the replicas.
        setups: what each is made of.
    """

    def __init__(self, names: Sequence[str], setups: Sequence[Setup]) -> None:
        super().__init__(names)
        self._members: dict[int, tuple[Process, Connection]] = {}
        for number, setup in enumerate(setups):
            self._members[number] = start_own(serve, setup, os.getpid())

    def events(self, timeout: float) -> Iterator[tuple[int, messages.FromReplica]]:
        """What the replicas have said by now."""
        ready = set(wait([connection for _, connection in self._members.values()], timeout))
        for number, (process, connection) in list(self._members.items()):
            if connection not in ready:
                continue
            try:
                while number in self._members and connection.poll():
                    yield number, connection.recv()
            except (EOFError, ConnectionError):
                yield number, messages.Lost(_fate(process))
                self.dismiss(number)

    def send(self, number: int, message: messages.ToReplica) -> None:
        """Say something; to a dead one nothing."""
        with contextlib.suppress(BrokenPipeError, ConnectionError, KeyError):
            self._members[number][1].send(message)

    def dismiss(self, number: int) -> None:
        """Kill it, if it is there."""
        if (member := self._members.pop(number, None)) is not None:
            process, connection = member
            process.kill()
            process.join()
            connection.close()

    def close(self) -> None:
        """Kill whoever is left."""
        for number in list(self._members):
            self.dismiss(number)


def _fate(process: Process) -> str:
    process.join(2.0)
    code = process.exitcode
    if code is None:
        return "its process closed the pipe"
    return f"its process was killed by signal {-code}" if code < 0 else f"its process exited with code {code}"
