"""Where a policy is served: ``vla-eval://HOST:PORT``, ``openpi://HOST:PORT`` or ``http://HOST:PORT/act``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import SplitResult, urlsplit

from eval.errors import UserError, did_you_mean

Scheme = Literal["vla-eval", "openpi", "http", "https"]
SCHEMES: dict[str, int | None] = {"vla-eval": 8000, "openpi": 8000, "http": 8000, "https": 443}
"""Scheme -> port where none is given."""
AUTHORIZATION = "SIMPLER_EVAL_AUTHORIZATION"
"""Environment variable: what a server wants as the header ``Authorization``, such as ``Bearer ...`` or ``Api-Key ...``."""
EXAMPLE = "vla-eval://127.0.0.1:8000, openpi://127.0.0.1:8000 or http://127.0.0.1:8000/act"


@dataclass(frozen=True)
class Address:
    """Of a policy server."""

    scheme: Scheme
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def url(self) -> str:
        """As the library that connects takes it."""
        transport = self.scheme if self.scheme in ("http", "https") else "ws"
        return str(self).replace(self.scheme, transport, 1)


def parse_address(text: str) -> Address:
    """What follows ``--policy``. Raises UserError for anything else, and for credentials, which a run would record."""
    scheme, _, rest = text.partition("://")
    if scheme not in SCHEMES:
        raise UserError(f'Policy "{text:.200}" is at no address that is known.{did_you_mean(scheme, SCHEMES)} Write {EXAMPLE}.')
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise UserError(f'Policy "{scheme}://..." has no readable host and port; write {EXAMPLE}.') from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UserError(
            f"Policy {scheme}://{host or ''}... carries a name, password or query, which a run would record; give the address "
            f"alone, and what a server wants as the header Authorization by the environment variable {AUTHORIZATION}."
        )
    if not host or not rest:
        raise UserError(f'Policy "{text:.200}" has no host; write {EXAMPLE}.')
    if port == 0:
        raise UserError(f'Policy "{text:.200}" has port 0, at which nobody can be reached; give that of the server.')
    return Address(cast(Scheme, scheme), host, port or cast(int, SCHEMES[scheme]), _path(scheme, parts))


def addresses_of(text: str) -> str:
    """HOST:PORT, with a scheme but no ``//`` or without any, as it is written for each kind of server."""
    scheme, _, rest = text.partition(":")
    place = (rest if scheme in SCHEMES else text).partition("/")[0]
    return f"vla-eval://{place}, openpi://{place} or http://{place}/act"


def _path(scheme: str, parts: SplitResult) -> str:
    """That of HTTP is ``/act`` if none is given; the WebSocket protocols have none unless it is said."""
    given = "" if parts.path in ("", "/") else parts.path
    return given or ("/act" if scheme in ("http", "https") else "")


def authorization() -> dict[str, str]:
    """The header that a server wants, from the environment; never recorded."""
    value = os.environ.get(AUTHORIZATION, "").strip()
    if not value.isprintable() or not value.isascii():
        raise UserError(f"{AUTHORIZATION} holds characters that no header can have.")
    return {"Authorization": value} if value else {}
