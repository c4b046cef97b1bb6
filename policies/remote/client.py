"""What a client of each protocol is to the policy, and what can go wrong with a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eval.errors import EpisodeLost
from eval.wire.own import Served
from policies.base import EpisodeInfo, EpisodeResult

TEXT = 300
"""Characters of what a server says."""


class ServerProblem(EpisodeLost):
    """A server that cannot be reached, does not answer, or answers nonsense; one line."""


class ServerRefused(ServerProblem):
    """A server that said an error; the connection is as good as before."""


@dataclass(frozen=True)
class ServerInfo:
    """What a server says of itself when it is connected to."""

    said: Mapping[str, Any] = field(default_factory=dict)
    """Decides which server it is: whoever answers later must say the same."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Versions and the like."""
    served: Served | None = None
    """Set by ``simpler-eval serve``."""
    name: str = ""


@dataclass(frozen=True)
class Answer:
    """What a server answers to one observation."""

    actions: NDArray[np.float64]
    """(n, D), n of 1 or more."""
    terminate: bool = False


class Client(Protocol):
    """Speaks one protocol. All of it runs in the thread of the event loop."""

    async def open(self) -> ServerInfo:
        """Connect for the first time. Raises ServerProblem."""

    async def begin(self, info: EpisodeInfo) -> None:
        """An episode begins. Raises ServerProblem."""

    async def ask(self, episode: str, request: Mapping[str, Any]) -> Answer:
        """Actions for an observation. Raises ServerProblem; the episode must not go on then."""

    async def end(self, episode: str, result: EpisodeResult | None) -> None:
        """An episode is over; None: it is given up. Never raises ServerProblem."""

    async def close(self) -> None:
        """Hang up."""


def printable(text: object) -> str:
    """What a server says, as a part of one line that any terminal takes."""
    line = " ".join(str(text)[: 4 * TEXT].split())[:TEXT]
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in line)
