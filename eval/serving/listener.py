"""The port: connections, their health checks and their limits. Its thread never calls the policy, so no client waits for
another's answer to connect, to leave or to hear that the server is well.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import http
import itertools
import json
import logging
import os
import socket
import threading
from typing import TYPE_CHECKING, Self

from eval.errors import UserError
from eval.nouns import counted, noun
from eval.serving.desk import PolicyDesk
from eval.serving.log import Log
from eval.serving.openpi import OpenpiTalk
from eval.serving.options import Protocol
from eval.serving.requests import Served
from eval.serving.session import Guests
from eval.serving.vla_eval import VlaEvalTalk
from eval.wire.errors import WireError
from policies.base import PolicyDescription

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

TALKS: dict[Protocol, type[VlaEvalTalk] | type[OpenpiTalk]] = {"vla-eval": VlaEvalTalk, "openpi": OpenpiTalk}
HEALTH = {"/health": (json.dumps({"status": "ok"}).encode(), "application/json"), "/healthz": (b"OK\n", "text/plain")}
"""Path -> what a GET is answered with: vla-eval's, and openpi's."""
OPENING_SECONDS, CLOSING_SECONDS = 10.0, 2.0
READERS = max(2, min(8, len(os.sched_getaffinity(0))))
"""Threads that read messages, of which pictures may have to be decompressed."""
KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""A client whose machine is gone is noticed after two minutes. WebSocket pings would do it as well, but clients that simulate a
step between two messages answer none meanwhile.
"""
UNREADABLE, FAULT, GOING = 1007, 1011, 1001
"""Why a connection is closed, in the protocol's numbers."""


def bound(host: str, port: int) -> socket.socket:
    """A socket that has its address but does not listen yet. Raises UserError where that cannot be had."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise UserError(
            f'--host "{host}" is no name or address of this machine; give 127.0.0.1, or 0.0.0.0 for all.'
        ) from error
    made = socket.socket(family, kind, number)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE:  # connections have them from the socket that accepts them
            made.setsockopt(socket.IPPROTO_TCP, option, value)
        made.bind(address)
    except OSError as error:
        made.close()
        raise UserError(_cannot_bind(host, port, error)) from error
    return made


def _cannot_bind(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is in use; give another one with --port N, or --port 0 for any that is free."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} needs rights that you do not have; give one above 1023 with --port N."
    if error.errno == errno.EADDRNOTAVAIL:
        return f'--host "{host}" is no address of this machine; give 127.0.0.1, or 0.0.0.0 for all.'
    return f"Port {port} of {host} cannot be had: {error.strerror or error}."


class Listener:
    """Use as a context manager: it listens while it lasts, in a thread of its own.

    Args:
        place: from :func:`bound`; closed at the end.
        protocol: that all clients speak.
        desk: who asks the policy.
        served: what can be asked about.
        description: of the policy, told to clients.
        largest: bytes of a message.
        clients: connections at a time.
        log: told in lines what clients did wrong.
    """

    def __init__(
        self,
        place: socket.socket,
        protocol: Protocol,
        desk: PolicyDesk,
        served: Served,
        description: PolicyDescription,
        largest: int,
        clients: int,
        log: Log,
    ) -> None:
        self._place, self._talk, self._desk, self._served = place, TALKS[protocol], desk, served
        self._description, self._largest, self._clients, self._log = description, largest, clients, log
        self._numbers = itertools.count(1)
        self._guests = Guests(desk, served)
        self._readers = concurrent.futures.ThreadPoolExecutor(READERS, thread_name_prefix="read messages")
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
        self.connections = 0
        """Now."""

    @property
    def url(self) -> str:
        """Where clients on this machine reach it."""
        host, port = self._place.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"ws://{f'[{host}]' if ':' in host else host}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._ready.result()
        except OSError as error:  # another server began to listen meanwhile
            host, port = self._place.getsockname()[:2]
            raise UserError(_cannot_bind(host, port, error)) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._readers.shutdown(wait=False)

    def _run(self) -> None:
        try:
            asyncio.run(self._listen())
        except BaseException as error:
            if self._ready.done():
                self._log(f"the listener failed: {error!r}")
                self._desk.stop()
            else:
                self._ready.set_exception(error)

    async def _listen(self) -> None:
        from websockets.asyncio.server import serve

        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        quiet = logging.getLogger("simpler_eval.serving")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        server: Server = await serve(
            self._converse,
            sock=self._place,
            process_request=self._before,
            origins=[None],  # a page in somebody's browser shall not move a robot
            compression=None,
            open_timeout=OPENING_SECONDS,
            close_timeout=CLOSING_SECONDS,
            ping_interval=None,
            max_size=self._largest,
            max_queue=1,
            server_header=None,
            logger=quiet,
        )
        self._ready.set_result(None)
        await self._end.wait()
        server.close(code=GOING, reason="the server ends")
        await server.wait_closed()

    def _before(self, connection: ServerConnection, request: Request) -> Response | None:
        """A health check is answered; everything else may connect, while there is room."""
        from websockets.datastructures import Headers
        from websockets.http11 import Response

        path = request.path.partition("?")[0]
        if path in HEALTH:
            body, kind = HEALTH[path]
            headers = Headers({"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"})
            return Response(http.HTTPStatus.OK.value, "OK", headers, body)
        if "upgrade" not in request.headers:
            return connection.respond(http.HTTPStatus.NOT_FOUND, f"GET {' or '.join(HEALTH)}, or connect by WebSocket.\n")
        if self.connections >= self._clients:
            return connection.respond(
                http.HTTPStatus.SERVICE_UNAVAILABLE,
                f"{counted(self._clients, 'client')} {noun(self._clients, 'is', 'are')} connected; later.\n",
            )
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        client = f"client {next(self._numbers)}"
        talk = self._talk(self._guests, client, self._served, self._description)
        closed = asyncio.ensure_future(connection.wait_closed())
        self.connections += 1
        try:
            if talk.greeting is not None:
                await connection.send(talk.greeting)
            async for frame in connection:
                answer = await _unless(closed, self._answer(talk, frame))
                if answer is not None:
                    await connection.send(answer)
        except (ConnectionClosed, _Left):
            pass
        except WireError as error:
            self._log(f"{client} sent what cannot be read: {error}")
            await self._say_goodbye(connection, talk, f"the message cannot be read: {error}", UNREADABLE)
        except Exception as error:  # whatever a client brought us to: it is alone with it
            import traceback

            self._log(f"{client} met a fault of the server", "".join(traceback.format_exception(error)))
            await self._say_goodbye(connection, talk, "a fault of the server; see its log", FAULT)
        finally:
            talk.close()
            closed.cancel()
            self.connections -= 1

    async def _answer(self, talk: VlaEvalTalk | OpenpiTalk, frame: bytes | str) -> bytes | str | None:
        read = asyncio.get_running_loop().run_in_executor(self._readers, talk.read, frame, self._largest)
        return await talk.answer(await read)  # type: ignore[arg-type]  # each reads what it answers

    async def _say_goodbye(self, connection: ServerConnection, talk: VlaEvalTalk | OpenpiTalk, text: str, code: int) -> None:
        with contextlib.suppress(Exception):  # the client may be gone
            await connection.send(talk.complaint(text))
            await asyncio.gather(connection.close(code), _drained(connection))


async def _drained(connection: ServerConnection) -> None:
    """Read on, so that the client's goodbye is found behind what it had sent before."""
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):
        async for _ in connection:
            pass


class _Left(Exception):
    """The client is gone while it was answered."""


async def _unless(closed: asyncio.Future[None], answering: object) -> bytes | str | None:
    """What comes of ``answering``, which is given up when the connection closes."""
    task = asyncio.ensure_future(answering)  # type: ignore[call-overload]
    try:
        await asyncio.wait((task, closed), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()  # type: ignore[no-any-return]
        raise _Left
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(BaseException):
                await task
