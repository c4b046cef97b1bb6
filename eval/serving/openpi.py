"""A connection that speaks openpi's protocol (:mod:`eval.wire.openpi`).

The protocol knows no episodes: a connection is one. A client that plays several over one connection says ``reset: True`` in the
first observation of each, or sends ``episode``: a name or number, or a map of what else is known of it, which
:func:`eval.serving.requests.episode_of` reads.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from eval.rollout.actions import CheckedAction
from eval.serving.conventions import about
from eval.serving.desk import Refused
from eval.serving.own import own_episode, own_observation, said_of
from eval.serving.requests import LONGEST_NAME, Served, episode_of, observation_of
from eval.serving.session import Guests, Session
from eval.wire.openpi import pack_map, unpack_map
from eval.wire.own import KEY
from policies.base import PolicyDescription


class OpenpiTalk:
    """What is answered to each frame of a client.

    Args:
        guests: who is here.
        connection: its name.
        served: what can be asked about.
        description: of the policy.
    """

    def __init__(self, guests: Guests, connection: str, served: Served, description: PolicyDescription) -> None:
        self._guests, self._served = guests, served
        self._session = guests.one(connection)
        self._shared: tuple[str, Session] | None = None
        """What our own client calls itself, and its episodes, about which it asks over any of its connections."""
        self._episode: object = None
        self._before: float | None = None
        self.greeting: bytes | None = pack_map(
            {"policy": description.name, "action_horizon": 1, KEY: about(description, served)}
        )

    @staticmethod
    def read(frame: bytes | str, largest: int) -> dict[str, Any]:
        """A frame, in any thread. Raises WireError."""
        return unpack_map(frame, largest)

    async def answer(self, wire: Mapping[str, Any]) -> bytes | str:
        """The answer to an observation: a frame, or a text for what cannot be had."""
        began = time.monotonic()
        try:
            said = said_of(wire)
            if said is not None and "ended" in said:
                self._end(self._session_of(said), said["ended"])
                return pack_map({})
            action = await (self._foreign(wire) if said is None else self._own(said, wire))
        except Refused as refused:
            return str(refused)
        took = 1000 * (time.monotonic() - began)
        timing = {"infer_ms": took} | ({} if self._before is None else {"prev_total_ms": self._before})
        self._before = took
        return pack_map({"actions": np.array([action.command]), "terminate": action.terminate, "server_timing": timing})

    @staticmethod
    def complaint(text: str) -> str:
        """What a client is told before the connection is closed."""
        return text

    async def _own(self, said: Mapping[str, Any], wire: Mapping[str, Any]) -> CheckedAction:
        session = self._session_of(said)
        name, step = said.get("episode"), said.get("step")
        if not isinstance(name, str) or type(step) is not int:
            raise Refused("an observation lacks its episode or step")
        if step == 0:
            await session.begin(own_episode(said.get("info"), session.served), name)
        return await session.act(
            lambda live: own_observation(said, wire, session.served, live.info, live.instruction), name
        )  # fmt: skip

    def close(self) -> None:
        """The connection is gone."""
        self._session.close()
        if self._shared is not None:
            self._guests.part(self._shared[0])

    def _session_of(self, said: Mapping[str, Any]) -> Session:
        """The episodes of our own client."""
        client = said.get("client")
        if not isinstance(client, str) or not client.isalnum() or len(client) > LONGEST_NAME:
            raise Refused("our own client does not say who it is; is it of another version?")
        if self._shared is None:
            self._shared = client, self._guests.join(client)
        if self._shared[0] != client:
            raise Refused("a connection is of one client")
        return self._shared[1]

    def _end(self, session: Session, names: object) -> None:
        for name in names if isinstance(names, list) else ():
            if isinstance(name, str):
                session.end("failure", None, name)

    async def _foreign(self, wire: Mapping[str, Any]) -> CheckedAction:
        session = self._session
        given = wire.get("episode")
        more = given if isinstance(given, Mapping) else {}
        name = more.get("episode", more.get("episode_id")) if more else given
        if not isinstance(name, str | int | None):
            raise Refused("episode must be a name, a number or a map")
        if "" not in session.live or wire.get("reset") is True or (given is not None and name != self._episode):
            self._episode = None
            await session.begin(episode_of({**wire, **more}, session.served, session.number))
            self._episode = name
        return await session.act(
            lambda live: observation_of(wire, session.served, live.info, live.step, live.instruction)
        )  # fmt: skip
