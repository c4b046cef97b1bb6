"""Client of servers that answer ``POST /act``, as OpenVLA's deployment script does; they know of no episodes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from eval.wire.errors import WireError
from eval.wire.openvla import pack_request, unpack_actions
from eval.wire.packing import LARGEST
from policies.base import EpisodeInfo, EpisodeResult
from policies.remote.address import Address, authorization
from policies.remote.answers import read_actions
from policies.remote.client import Answer, ServerInfo, ServerProblem, printable
from policies.remote.patience import Patience
from policies.remote.sockets import OPEN_SECONDS, nonsense

BEHIND = (502, 503, 504)
"""What a proxy says while the server behind it is not there."""


class HttpClient:
    """See :class:`policies.remote.client.Client`."""

    def __init__(self, address: Address, patience: Patience, connections: int) -> None:
        self._address, self._patience, self._connections = address, patience, connections
        self._client: Any = None

    async def open(self) -> ServerInfo:
        """Look whether a server is there; it says nothing of itself."""
        import httpx

        self._client = httpx.AsyncClient(
            headers={**authorization(), "Content-Type": "application/json", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=self._connections, max_keepalive_connections=self._connections),
            timeout=httpx.Timeout(None, connect=OPEN_SECONDS),
            trust_env=False,
        )
        status, _ = await self._exchange("GET", None, OPEN_SECONDS)
        if 300 <= status < 400:
            raise ServerProblem(
                f"{self._address} answered HTTP {status}, that it is elsewhere; give the address where it is now"
            )
        if status in BEHIND:
            raise ServerProblem(f"{self._address} answered HTTP {status}: no server is behind it, or none that is ready")
        if status in (401, 403, 404):
            raise ServerProblem(f"{self._address} answered HTTP {status}; is the path right, and does it want a password?")
        return ServerInfo()

    async def begin(self, info: EpisodeInfo) -> None:
        """Nothing is said: the protocol has no word for it."""

    async def ask(self, episode: str, request: Mapping[str, Any]) -> Answer:
        """Send an observation and wait for its actions."""
        status, body = await self._exchange("POST", pack_request(request), self._patience.seconds)
        if status != 200:
            raise ServerProblem(f"{self._address} answered HTTP {status}")
        try:
            actions = read_actions(unpack_actions(body))
        except WireError as error:
            if body.strip(b' \n"') == b"error":  # all that OpenVLA's script says; why stands in its own log
                raise ServerProblem(f"{self._address} says: error (its own log says why)") from error
            raise nonsense(self._address, error) from error
        self._patience.answered()
        return Answer(actions)

    async def end(self, episode: str, result: EpisodeResult | None) -> None:
        """Nothing is said."""

    async def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            await self._client.aclose()

    async def _exchange(self, method: str, body: bytes | None, seconds: float) -> tuple[int, bytes]:
        import httpx

        try:
            async with asyncio.timeout(seconds), self._client.stream(method, self._address.url, content=body) as answer:
                parts, size = [], 0
                async for part in answer.aiter_raw():
                    parts.append(part)
                    size += len(part)
                    if size > LARGEST:
                        raise ServerProblem(f"{self._address} answered with more than {LARGEST / 2**20:g} MB")
                return answer.status_code, b"".join(parts)
        except TimeoutError as error:
            raise ServerProblem(f"{self._address} did not answer within {seconds:g} s", silent=True) from error
        except httpx.ConnectError as error:
            said = printable(error) or "it closes every connection"
            if "WRONG_VERSION_NUMBER" in said:
                raise ServerProblem(
                    f"who answers at {self._address} speaks no TLS (http:// in the place of https://)"
                ) from error
            raise ServerProblem(f"nobody answers at {self._address} ({said})") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerProblem(f"the connection to {self._address} was lost ({type(error).__name__})") from error
