"""A connection that speaks vla-eval's protocol (:mod:`eval.wire.vla_eval`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from eval.serving.conventions import SIMPLER_BENCHMARK, about, numbers_for, specs, version
from eval.serving.desk import Refused
from eval.serving.own import own_episode, own_observation, said_of
from eval.serving.requests import Served, episode_of, observation_of
from eval.serving.session import Guests, Live, Status
from eval.wire.errors import WireError
from eval.wire.own import KEY
from eval.wire.vla_eval import Kind, Message, ServerHello, pack_message, unpack_message
from policies.base import Observation, PolicyDescription


class VlaEvalTalk:
    """What is answered to each frame of a client.

    Args:
        guests: who is here.
        connection: its name.
        served: what can be asked about.
        description: of the policy.
    """

    greeting: bytes | None = None

    def __init__(self, guests: Guests, connection: str, served: Served, description: PolicyDescription) -> None:
        self._session, self._description = guests.one(connection), description
        self._benchmark = ""
        self._refused: str | None = None
        """Why the last episode did not begin. Beginning one has no answer: a client that gets one takes it for that to its
        first observation, and every later answer for the one before. So it is the answer to that observation.
        """

    @staticmethod
    def read(frame: bytes | str, largest: int) -> Message:
        """A frame, in any thread. Raises WireError."""
        return unpack_message(frame, largest)

    async def answer(self, message: Message) -> bytes | None:
        """The answer to a message, if it has one. Raises WireError for one that only servers send."""
        match message.kind:
            case Kind.HELLO:
                benchmark = message.payload.get("benchmark")
                self._benchmark = benchmark if isinstance(benchmark, str) else ""
                return _frame(Kind.HELLO, self._hello(), message)
            case Kind.EPISODE_START:
                await self._begin(message)
                return None
            case Kind.EPISODE_END:
                self._session.end(_status(message.payload.get("metrics")))
                return None
            case Kind.OBSERVATION:
                try:
                    return _frame(Kind.ACTION, await self._act(message), message)
                except Refused as refused:
                    return _frame(Kind.ERROR, {"error": str(refused)}, message)
        raise WireError(f"a server does not answer {message.kind}")

    def close(self) -> None:
        """The connection is gone."""
        self._session.close()

    @staticmethod
    def complaint(text: str) -> bytes:
        """What a client is told before the connection is closed."""
        return pack_message(Message(Kind.ERROR, {"error": text}))

    def _hello(self) -> dict[str, Any]:
        said = about(self._description, self._session.served)
        return ServerHello(
            model_server=self._description.name,
            harness_version=f"simpler-eval {version()}",
            capabilities={KEY: said},
            **specs(self._session.served),
        ).payload()

    async def _begin(self, message: Message) -> None:
        payload, session, self._refused = message.payload, self._session, None
        try:
            if (said := said_of(payload)) is not None:
                info = own_episode(said, session.served)
            else:
                task = payload.get("task")
                info = episode_of(task if isinstance(task, dict) else payload, session.served, session.number)
            await session.begin(info)
        except Refused as refused:
            self._refused = str(refused)

    async def _act(self, message: Message) -> dict[str, Any]:
        session, wire = self._session, message.payload
        if self._refused is not None:
            raise Refused(f"the episode did not begin: {self._refused}")
        live = session.live.get("")
        if live is None:
            raise Refused("no episode is under way; send episode_start")
        robot = live.info.robot
        if self._benchmark == SIMPLER_BENCHMARK and robot == "google_robot" and session.served.robot != robot:
            raise Refused(
                "vla-eval's SIMPLER must be told how the gripper is meant: start the server with --robot google_robot"
            )
        said = said_of(wire)

        def observe(live: Live) -> Observation:
            if said is not None:
                return own_observation(said, wire, session.served, live.info, live.instruction)
            return observation_of(wire, session.served, live.info, live.step, live.instruction)

        action = await session.act(observe)
        return {"actions": np.array(numbers_for(self._benchmark, robot, action)), "terminate": action.terminate}


def _status(metrics: object) -> Status:
    success = metrics.get("success") if isinstance(metrics, dict) else None
    return ("success" if success else "failure") if isinstance(success, bool | int | float) else "errored"


def _frame(kind: Kind, payload: dict[str, Any], asked: Message) -> bytes:
    return pack_message(Message(kind, payload, asked.seq))
