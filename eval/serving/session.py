"""One connection's episodes, with what is remembered of each between two observations."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Literal

from eval.rollout.actions import CheckedAction
from eval.serving.desk import PolicyDesk, Refused
from eval.serving.requests import Served
from policies.base import EpisodeInfo, EpisodeResult, Observation

Status = Literal["success", "failure", "errored"]
MOST_EPISODES = 256
"""Under way over one connection."""


@dataclass
class Live:
    """An episode that is under way."""

    info: EpisodeInfo
    """As the policy knows it."""
    instruction: str
    """The last one."""
    step: int = 0


class Session:
    """A connection, as the policy sees it. Its episodes are called as the client calls them; a client that does not tell them
    apart has one, whose name is empty.

    Args:
        desk: who asks the policy.
        served: what it can be asked about.
        client: a name of the connection, like no other.
    """

    def __init__(self, desk: PolicyDesk, served: Served, client: str) -> None:
        self.desk, self.served, self.client = desk, served, client
        self.live: dict[str, Live] = {}
        self.number = 0
        """Episodes so far."""

    async def begin(self, info: EpisodeInfo, name: str = "") -> None:
        """Begin an episode; one of that name that is under way is given up. Raises Refused."""
        self.end("errored", "it began anew", name)
        if len(self.live) >= MOST_EPISODES:
            raise Refused(f"{MOST_EPISODES} episodes are under way over this connection; end some")
        self.number += 1
        future = self.desk.begin(f"{self.client}/{name}", info)
        try:
            self.live[name] = Live(await asyncio.wrap_future(future), info.instruction)
        except asyncio.CancelledError:  # the client is gone; the policy may just be at it
            future.add_done_callback(self._forget)
            raise

    async def act(self, observe: Callable[[Live], Observation], name: str = "") -> CheckedAction:
        """The action for what ``observe`` makes of an episode under way. Raises Refused; if it was the policy that failed, the
        episode is over.
        """
        live = self.live.get(name)
        if live is None:
            raise Refused("no such episode is under way; begin one")
        observation = replace(observe(live), episode=live.info.episode)
        try:
            action = await asyncio.wrap_future(self.desk.act(f"{self.client}/{name}", observation))
        except Refused as refused:
            self.end("errored", str(refused), name)
            raise
        live.step, live.instruction = observation.step + 1, observation.instruction
        return action

    def end(self, status: Status, error: str | None = None, name: str = "") -> None:
        """An episode is over, if there is one of that name."""
        if (live := self.live.pop(name, None)) is not None:
            self.desk.end(live.info, EpisodeResult(status, live.step, error))

    def close(self) -> None:
        """The client is gone."""
        self.desk.leave(f"{self.client}/")
        for name in [*self.live]:
            self.end("errored", "the client left", name)

    def _forget(self, begun: Future[EpisodeInfo]) -> None:
        with contextlib.suppress(Exception, asyncio.CancelledError):
            self.desk.end(begun.result(), EpisodeResult("errored", 0, "the client left"))


class Guests:
    """Sessions by connection, or by client where several connections are of one. In the thread of the connections alone.

    Args:
        desk: who asks the policy.
        served: what it can be asked about.
    """

    def __init__(self, desk: PolicyDesk, served: Served) -> None:
        self._desk, self._served = desk, served
        self._shared: dict[str, Session] = {}
        self._connections: Counter[str] = Counter()

    def one(self, connection: str) -> Session:
        """Of a connection that is a client."""
        return Session(self._desk, self._served, connection)

    def join(self, client: str) -> Session:
        """Of a client, for one more of its connections; to be followed by :meth:`part`."""
        self._connections[client] += 1
        return self._shared.setdefault(client, Session(self._desk, self._served, f"shared {client}"))

    def part(self, client: str) -> None:
        """One of its connections is gone; with the last one its episodes are."""
        self._connections[client] -= 1
        if not self._connections[client]:
            del self._connections[client]
            self._shared.pop(client).close()
