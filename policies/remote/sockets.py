"""WebSocket connections to a policy server, with a time limit on everything.

They go there directly: the proxies of the environment are for the web, not for a server beside this machine.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

from eval.wire.errors import WireError
from eval.wire.packing import LARGEST
from policies.remote.address import Address, authorization
from policies.remote.client import ServerProblem, printable

OPEN_SECONDS = 20.0
"""That a connection may take to come about."""
CLOSE_SECONDS = 2.0
Socket = Any
"""A connection of ``websockets``, which is an optional package."""


async def connect(address: Address) -> Socket:
    """A new connection. Raises ServerProblem if nobody is there, or nobody who speaks WebSocket."""
    from websockets.exceptions import InvalidHandshake, InvalidStatus

    try:
        return await _connecting()(
            address.url, compression=None, max_size=LARGEST, ping_interval=None, open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS, additional_headers=authorization(), proxy=None,
        )  # fmt: skip
    except InvalidStatus as error:
        status = error.response.status_code
        elsewhere = _moved(status, error.response.headers.get("Location"))
        raise ServerProblem(f"{address} answered HTTP {status} instead of opening a WebSocket{elsewhere}") from error
    except (InvalidHandshake, EOFError, ConnectionResetError) as error:
        raise ServerProblem(f"who answers at {address} speaks no WebSocket ({type(error).__name__})") from error
    except TimeoutError as error:
        raise ServerProblem(f"{address} opened no connection within {OPEN_SECONDS:g} s", silent=True) from error
    except (OSError, UnicodeError) as error:  # a name of a host that no resolver takes is the latter
        raise ServerProblem(f"nobody answers at {address} ({reason(error)})") from error


def _connecting() -> Callable[..., Socket]:
    """What connects, and goes nowhere else than it was told: neither the model nor what proves who asks is another server's."""
    from websockets.asyncio.client import connect as websocket

    class Direct(websocket):  # type: ignore[misc]
        def process_redirect(self, exc: Exception) -> Exception:
            return exc

    return Direct


def _moved(status: int, location: str | None) -> str:
    """Where a server says that it is now, for the end of a sentence."""
    return f": it is at {printable(location)} now" if 300 <= status < 400 and location else ""


async def receive(connection: Socket, seconds: float, address: Address) -> bytes | str:
    """The next frame. Raises ServerProblem if none comes in time, or the connection is lost."""
    from websockets.exceptions import ConnectionClosed

    try:
        async with asyncio.timeout(seconds):
            frame: bytes | str = await connection.recv()
    except TimeoutError as error:
        raise ServerProblem(f"{address} did not answer within {seconds:g} s", silent=True) from error
    except ConnectionClosed as error:
        raise lost(address, error) from error
    return frame


async def send(connection: Socket, frame: bytes, seconds: float, address: Address) -> None:
    """Raises ServerProblem if it cannot be sent in time, or the connection is lost."""
    from websockets.exceptions import ConnectionClosed

    try:
        async with asyncio.timeout(seconds):
            await connection.send(frame)
    except TimeoutError as error:
        raise ServerProblem(f"{address} took no message within {seconds:g} s", silent=True) from error
    except ConnectionClosed as error:
        raise lost(address, error) from error


async def hang_up(connection: Socket) -> None:
    """Close, whatever state the connection is in."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await connection.close()
    except Exception:  # it is gone either way
        connection.transport.abort()


def lost(address: Address, error: Exception) -> ServerProblem:
    """A connection that was closed, with what the server said when it closed it."""
    sent, received = getattr(error, "sent", None), getattr(error, "rcvd", None)
    if sent is not None and sent.code == 1009:
        return ServerProblem(f"{address} answered with more than {LARGEST / 2**20:g} MB")
    why = f" ({received.code} {printable(received.reason)}".rstrip() + ")" if received is not None else ""
    return ServerProblem(f"the connection to {address} was lost{why}")


def nonsense(address: Address, error: WireError | str) -> ServerProblem:
    """An answer that cannot be used."""
    return ServerProblem(f"{address} answered nonsense: {error}")


def reason(error: OSError | UnicodeError) -> str:
    """Why a connection failed, without the address twice."""
    if isinstance(error, UnicodeError):
        return "there is no such name of a host"
    if isinstance(error, socket.gaierror):
        return printable(error.strerror)
    return os.strerror(error.errno).lower() if error.errno else printable(error)
