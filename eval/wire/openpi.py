"""openpi's messages (openpi-client 0.1.2): a WebSocket, one MessagePack value a binary frame; stateless.

The server speaks first, a map about itself. Then every frame of the client is an observation, a map of keys that the model's
configuration chooses, and every answer a map with ``actions`` (horizon, D). A text frame is an error, after which it hangs up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.wire.errors import WireError
from eval.wire.packing import LARGEST, OPENPI, pack, unpack


def pack_map(value: Mapping[str, Any]) -> bytes:
    """An observation, an answer or what a server says of itself, as a frame. Raises WireError for what cannot be sent."""
    return pack(value, OPENPI)


def unpack_map(data: object, largest: int = LARGEST) -> dict[str, Any]:
    """A frame as a map. Raises WireError for anything else, also for a text frame, which is how a server says an error."""
    value = unpack(data, OPENPI, largest)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise WireError("it is no map with texts as keys")
    return value
