"""Client of vla-eval's model servers: a connection for every episode that is under way, used for one after another."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eval.wire.errors import WireError
from eval.wire.own import KEY, episode_map, read_served
from eval.wire.packing import ImageFormat
from eval.wire.vla_eval import PROTOCOL_VERSION, Kind, Message, ServerHello, pack_message, unpack_message
from policies.base import EpisodeInfo, EpisodeResult
from policies.remote import sockets
from policies.remote.address import Address
from policies.remote.answers import read_actions
from policies.remote.client import Answer, ServerInfo, ServerProblem, ServerRefused, printable
from policies.remote.identity import recorded
from policies.remote.patience import Patience

HARNESS = "simpler-eval"
HELLO_SECONDS = 30.0
"""As vla-eval's own client waits for the first message."""


@dataclass
class _Session:
    socket: sockets.Socket
    seq: int = 0


class VlaEvalClient:
    """See :class:`policies.remote.client.Client`."""

    def __init__(self, address: Address, patience: Patience, image_format: ImageFormat, connections: int) -> None:
        self._address, self._patience, self._image_format = address, patience, image_format
        self._most = connections
        self._idle: list[_Session] = []
        self._playing: dict[str, _Session] = {}
        self._info: ServerInfo | None = None

    async def open(self) -> ServerInfo:
        """Connect and shake hands."""
        self._idle.append(await self._connect())
        assert self._info is not None
        return self._info

    async def begin(self, info: EpisodeInfo) -> None:
        """Give the episode a connection, and tell the server."""
        session = await self._free()
        task: dict[str, object] = {
            "name": info.task,
            "task_name": info.task,
            "task_description": info.instruction,
            "robot": info.robot,
        }
        task |= {"episode_idx": info.repeat, "episode": info.episode, "seed": info.seed, "max_steps": info.max_steps}
        ours = {KEY: episode_map(info)} if self._info is not None and self._info.served is not None else {}
        self._playing[info.episode] = session
        try:
            await self._send(session, Kind.EPISODE_START, {"task": task} | ours)
        except ServerProblem:
            await self._drop(info.episode)
            raise

    async def ask(self, episode: str, request: Mapping[str, Any]) -> Answer:
        """Send an observation and wait for its action."""
        session = self._playing.get(episode)
        if session is None:
            raise ServerProblem(f"the connection to {self._address} that the episode began on is gone")
        try:
            await self._send(session, Kind.OBSERVATION, request)
            answer = await self._receive(session, self._patience.seconds)
            if answer.kind is Kind.ERROR:
                raise ServerRefused(
                    f"{self._address} says: {printable(answer.payload.get('error', 'an error without a text'))}"
                )
            if answer.kind is not Kind.ACTION or answer.seq != session.seq:
                raise sockets.nonsense(self._address, f"a message {answer.kind.value} where the action {session.seq} was due")
            try:
                actions = read_actions(answer.payload.get("actions", answer.payload.get("action")))
            except WireError as error:
                raise sockets.nonsense(self._address, error) from error
        except ServerRefused:
            raise
        except BaseException:  # also when it is cancelled: a late answer would be taken for the next one
            await self._drop(episode)
            raise
        self._patience.answered()
        return Answer(actions, answer.payload.get("terminate") is True)

    async def end(self, episode: str, result: EpisodeResult | None) -> None:
        """Tell the server, and keep the connection for the next episode."""
        session = self._playing.pop(episode, None)
        if session is None:
            return
        said: dict[str, Any] = {"metrics": {}, "steps": 0, "elapsed_sec": 0.0}
        if result is not None:
            said |= {"metrics": {"success": result.status == "success"}, "steps": result.steps}
        try:
            await self._send(session, Kind.EPISODE_END, said)
        except ServerProblem:
            await sockets.hang_up(session.socket)
        else:
            self._idle.append(session)

    async def close(self) -> None:
        """Hang up everywhere."""
        for session in [*self._idle, *self._playing.values()]:
            await sockets.hang_up(session.socket)
        self._idle, self._playing = [], {}

    async def _free(self) -> _Session:
        """A connection that no episode has: one that is there and alive, or a new one."""
        while self._idle:
            session = self._idle.pop()
            if session.socket.state.name == "OPEN":
                return session
            await sockets.hang_up(session.socket)
        if len(self._playing) >= self._most:
            raise ServerProblem(
                f"{len(self._playing)} episodes have all connections to {self._address} that it may have; play fewer at a time "
                "(--workers, --per-worker) or allow more (--policy-arg connections=N)"
            )
        return await self._connect()

    async def _connect(self) -> _Session:
        socket = await sockets.connect(self._address)
        try:
            session = _Session(socket)
            said = {"harness_version": HARNESS, "protocol_version": PROTOCOL_VERSION, "benchmark": f"{HARNESS}:SIMPLER"}
            await self._send(session, Kind.HELLO, said)
            answer = await self._receive(session, HELLO_SECONDS)
            if answer.kind is not Kind.HELLO:
                raise sockets.nonsense(self._address, f"a message {answer.kind.value} where hello was due")
            try:
                info = _info_of(ServerHello.of(answer.payload))
            except WireError as error:
                raise sockets.nonsense(self._address, error) from error
            if self._info is not None and recorded(info.said) != recorded(self._info.said):
                raise ServerProblem(f"{self._address} is another server than when the run began, or serves something else")
            self._info = self._info or info
        except BaseException:
            await sockets.hang_up(socket)
            raise
        return session

    async def _drop(self, episode: str) -> None:
        session = self._playing.pop(episode, None)
        if session is not None:
            with contextlib.suppress(Exception):
                await sockets.hang_up(session.socket)

    async def _send(self, session: _Session, kind: Kind, payload: Mapping[str, Any]) -> None:
        session.seq += 1
        frame = pack_message(Message(kind, payload, session.seq), self._image_format)
        await sockets.send(session.socket, frame, self._patience.seconds, self._address)

    async def _receive(self, session: _Session, seconds: float) -> Message:
        frame = await sockets.receive(session.socket, seconds, self._address)
        try:
            return unpack_message(frame)
        except WireError as error:
            raise sockets.nonsense(self._address, error) from error


def _info_of(hello: ServerHello) -> ServerInfo:
    """Raises WireError if what it says of a policy of ours is nonsense."""
    served = read_served(hello.capabilities[KEY]) if KEY in hello.capabilities else None
    said = {
        name: value for name, value in asdict(hello).items() if value and name not in ("harness_version", "protocol_version")
    }
    return ServerInfo(said, {"harness_version": hello.harness_version}, served, hello.model_server)
