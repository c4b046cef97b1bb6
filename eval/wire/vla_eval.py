"""vla-eval's messages (protocol version 1, package 0.8.0): a WebSocket, one MessagePack map a binary frame.

The harness connects and says ``hello``; the server answers with its own. Then, an episode: ``episode_start`` (no answer, but
``error`` if it fails), any number of ``observation``, each answered by an ``action`` or ``error`` of the same number (``seq``),
and ``episode_end`` (no answer). One socket is one session: it plays one episode after another.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from eval.wire.errors import WireError
from eval.wire.packing import LARGEST, VLA_EVAL, ImageFormat, pack, unpack

PROTOCOL_VERSION = 1
Payload = Mapping[str, Any]


class Kind(StrEnum):
    """What a message is."""

    HELLO = "hello"
    OBSERVATION = "observation"
    ACTION = "action"
    EPISODE_START = "episode_start"
    EPISODE_END = "episode_end"
    ERROR = "error"


@dataclass(frozen=True)
class Message:
    """One frame."""

    kind: Kind
    payload: Payload = field(default_factory=dict)
    seq: int = 0
    """Counted by who asks; an answer has that of its question."""
    timestamp: float = field(default_factory=time.time)
    """Seconds since 1970."""


def pack_message(message: Message, image_format: ImageFormat = "raw") -> bytes:
    """A message as a frame. Raises WireError for a payload that cannot be sent."""
    frame = {"type": message.kind.value, "payload": message.payload, "seq": message.seq, "timestamp": message.timestamp}
    return pack(frame, VLA_EVAL, image_format)


def unpack_message(data: object, largest: int = LARGEST) -> Message:
    """A frame as a message. Raises WireError for whatever is none."""
    frame = unpack(data, VLA_EVAL, largest)
    if not isinstance(frame, dict) or not {"type", "payload", "seq", "timestamp"} <= frame.keys():
        raise WireError("it is no map of type, payload, seq and timestamp")
    payload, seq, timestamp = frame["payload"], frame["seq"], frame["timestamp"]
    if not isinstance(frame["type"], str) or frame["type"] not in [kind.value for kind in Kind]:
        raise WireError(f"its type is none of {', '.join(Kind)}")
    if not isinstance(payload, dict) or not all(isinstance(key, str) for key in payload):
        raise WireError("its payload is no map with texts as keys")
    if isinstance(seq, bool) or not isinstance(seq, int):
        raise WireError("its seq is no whole number")
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        raise WireError("its timestamp is no number")
    return Message(Kind(frame["type"]), payload, seq, float(timestamp))


@dataclass(frozen=True)
class ServerHello:
    """What a server says of itself."""

    model_server: str
    """Name of its class."""
    harness_version: str = ""
    protocol_version: int = PROTOCOL_VERSION
    capabilities: Payload = field(default_factory=dict)
    observation_params: Payload = field(default_factory=dict)
    """What it wants of a benchmark, as keyword arguments of its constructor: ``send_state``, ``gripper_mode`` and others."""
    action_spec: Payload = field(default_factory=dict)
    """Component -> name, dims, format and more."""
    observation_spec: Payload = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """For a message; optional parts that are empty are left out."""
        said: dict[str, Any] = {
            "harness_version": self.harness_version,
            "protocol_version": self.protocol_version,
            "model_server": self.model_server,
            "capabilities": self.capabilities,
        }
        for name in ("observation_params", "action_spec", "observation_spec"):
            said |= {name: getattr(self, name)} if getattr(self, name) else {}
        return said

    @classmethod
    def of(cls, payload: Payload) -> ServerHello:
        """From a message's payload; what is missing is empty. Raises WireError for another protocol version or odd types."""
        version = payload.get("protocol_version", PROTOCOL_VERSION)
        if not isinstance(version, int) or version != PROTOCOL_VERSION:  # an array would be compared number by number
            shown = version if isinstance(version, int) else f"a {type(version).__name__}"
            raise WireError(f"it speaks version {shown} of the protocol; version {PROTOCOL_VERSION} is known")
        maps: dict[str, Any] = {}
        for name in ("capabilities", "observation_params", "action_spec", "observation_spec"):
            value = payload.get(name)
            value = {} if value is None else value
            if not isinstance(value, Mapping):
                raise WireError(f"its {name} is no map")
            maps[name] = value
        name, harness = payload.get("model_server", ""), payload.get("harness_version", "")
        if not isinstance(name, str) or not isinstance(harness, str):
            raise WireError("its model_server or harness_version is no text")
        return cls(name, harness, PROTOCOL_VERSION, **maps)
