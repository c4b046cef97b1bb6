"""Client of openpi's policy servers and of those made after them; any connection answers for any episode."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from eval.wire.errors import WireError
from eval.wire.openpi import pack_map, unpack_map
from eval.wire.own import KEY, read_served
from policies.base import EpisodeInfo, EpisodeResult
from policies.remote import sockets
from policies.remote.address import Address
from policies.remote.answers import found, read_actions
from policies.remote.client import Answer, ServerInfo, ServerProblem, printable
from policies.remote.identity import recorded
from policies.remote.patience import Patience

METADATA_SECONDS = 30.0
ERRORS = ("error", "message")
"""Under which a server that answers by a map says an error."""


class OpenpiClient:
    """See :class:`policies.remote.client.Client`."""

    def __init__(self, address: Address, patience: Patience, answer: Sequence[str], connections: int) -> None:
        self._address, self._patience, self._answer_path = address, patience, answer
        self._idle: list[sockets.Socket] = []
        self._open, self._most = 0, connections
        self._changed = asyncio.Condition()
        self._info: ServerInfo | None = None
        self._told: set[str] = set()
        self._name = uuid.uuid4().hex

    async def open(self) -> ServerInfo:
        """Connect and hear what the server is."""
        self._idle.append(await self._connect())
        assert self._info is not None
        return self._info

    async def begin(self, info: EpisodeInfo) -> None:
        """Nothing is said: the protocol has no word for it. But a server that is gone is noticed."""
        async with self._connection():
            pass

    async def ask(self, episode: str, request: Mapping[str, Any]) -> Answer:
        """Send an observation and wait for its actions."""
        if KEY in request:
            self._told.add(episode)
            request = {**request, KEY: {**request[KEY], "client": self._name}}
        answer = await self._answer(request)
        try:
            actions = read_actions(found(answer, self._answer_path))
        except WireError as error:
            said = next((text for name in ERRORS if name in answer and (text := _words(answer[name]))), "")
            if said:
                raise ServerProblem(f"{self._address} says: {said}") from error
            raise sockets.nonsense(self._address, error) from error
        self._patience.answered()
        return Answer(actions, answer.get("terminate") is True)

    async def end(self, episode: str, result: EpisodeResult | None) -> None:
        """Servers of ours are told."""
        if episode in self._told:
            self._told.discard(episode)
            with contextlib.suppress(ServerProblem):
                await self._answer({KEY: {"client": self._name, "ended": [episode]}})

    async def close(self) -> None:
        """Hang up everywhere."""
        for socket in self._idle:
            await sockets.hang_up(socket)
        self._idle = []

    async def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        frame = pack_map(request)
        async with self._connection() as socket:
            await sockets.send(socket, frame, self._patience.seconds, self._address)
            answer = await sockets.receive(socket, self._patience.seconds, self._address)
            if isinstance(answer, str):  # a traceback, whose last line says what happened
                lines = answer.strip().splitlines()
                raise ServerProblem(f"{self._address} says: {printable(lines[-1] if lines else 'an error without a text')}")
            try:
                return unpack_map(answer)
            except WireError as error:
                raise sockets.nonsense(self._address, error) from error

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[sockets.Socket]:
        """One that nobody else uses meanwhile; whatever goes wrong with it, the next one gets another."""
        socket = await self._take()
        try:
            yield socket
        except BaseException:
            await self._give_back(None)
            await sockets.hang_up(socket)
            raise
        await self._give_back(socket)

    async def _take(self) -> sockets.Socket:
        while True:
            async with self._changed:
                while not self._idle and self._open >= self._most:
                    await self._changed.wait()
                if self._idle:
                    socket = self._idle.pop()
                    if socket.state.name == "OPEN":
                        return socket
                    self._open -= 1
                    continue
            try:
                return await self._connect()
            except ServerProblem:
                if not self._open:
                    raise
                self._most = self._open  # it bears no more

    async def _give_back(self, socket: sockets.Socket | None) -> None:
        async with self._changed:
            if socket is None:
                self._open -= 1
            else:
                self._idle.append(socket)
            self._changed.notify()

    async def _connect(self) -> sockets.Socket:
        self._open += 1
        try:
            socket = await sockets.connect(self._address)
            try:
                await self._hear(socket)
            except BaseException:
                await sockets.hang_up(socket)
                raise
        except BaseException:
            self._open -= 1
            raise
        return socket

    async def _hear(self, socket: sockets.Socket) -> None:
        try:
            frame = await sockets.receive(socket, METADATA_SECONDS, self._address)
        except ServerProblem as problem:
            if not problem.silent:
                raise
            waits = f"{self._address} opens a connection and then waits to be spoken to, as vla-eval's servers do (vla-eval://)"
            raise ServerProblem(waits, silent=True) from problem
        try:
            said = unpack_map(frame)
            served = read_served(said[KEY]) if KEY in said else None
        except WireError as error:
            raise sockets.nonsense(self._address, error) from error
        name = next(
            (value for key in ("name", "model", "policy", "config_name") if isinstance(value := said.get(key), str)), ""
        )
        info = ServerInfo(said, {}, served, name)
        if self._info is not None and recorded(info.said) != recorded(self._info.said):
            raise ServerProblem(f"{self._address} is another server than when the run began, or serves something else")
        self._info = self._info or info


def _words(value: object) -> str:
    """What a server says went wrong; empty if it is nothing of that kind, such as an array."""
    return printable(value) if isinstance(value, str | int | list | Mapping) and value else ""
