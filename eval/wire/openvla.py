"""Messages of ``POST /act``, as OpenVLA's own deployment script and those made after it have them: JSON with ``json_numpy``.

An array is a map of its bytes in base64 (``__numpy__``), its dtype (``dtype.str``) and its shape. The answer is the array of
the action alone, a list of numbers, or either below ``action`` or ``actions``; the whole may be JSON once more, within a text.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from eval.wire.errors import WireError
from eval.wire.packing import LARGEST, NUMBERS, array_of

ARRAY = "__numpy__"
ANSWERS = ("action", "actions")
"""What the action stands below, where it does not come alone."""


def pack_request(request: Mapping[str, Any]) -> bytes:
    """Image, instruction and what else a server takes, as a body. Raises WireError for what cannot be sent."""

    def say(entry: object) -> object:
        if isinstance(entry, np.ndarray | np.generic) and entry.dtype.kind in NUMBERS:
            if isinstance(entry, np.generic):
                return entry.item()
            data = base64.b64encode(entry.tobytes()).decode()
            return {ARRAY: data, "dtype": entry.dtype.str, "shape": [*entry.shape]}
        raise WireError(f"a {type(entry).__name__} cannot be sent")

    return json.dumps(request, default=say, allow_nan=False).encode()


def unpack_body(body: bytes, largest: int = LARGEST) -> Any:  # noqa: ANN401  JSON may be anything
    """A body as a value, arrays as arrays. Raises WireError for what is no JSON, or no array where one is announced."""
    if len(body) > largest:
        raise WireError(f"it has {len(body) / 2**20:.1f} MB, more than {largest / 2**20:g}")
    try:
        value = json.loads(body, object_hook=_read)
        return json.loads(value, object_hook=_read) if isinstance(value, str) and value[:1] in "[{" else value
    except WireError:
        raise
    except (ValueError, RecursionError) as error:
        raise WireError(f"it is no JSON ({type(error).__name__})") from error


def unpack_actions(body: bytes, largest: int = LARGEST) -> Any:  # noqa: ANN401  what it holds is for numbers_of to say
    """What an answer says the action is, an array or list. Raises WireError for a text, which is how a server says an error."""
    value = unpack_body(body, largest)
    if isinstance(value, Mapping):
        value = next((value[name] for name in ANSWERS if name in value), value)
    if isinstance(value, np.ndarray | list):
        return value
    raise WireError(f"it holds no action, but a {'map without one' if isinstance(value, Mapping) else type(value).__name__}")


def _read(entry: dict[str, Any]) -> object:
    if ARRAY not in entry:
        return entry
    try:
        data = base64.b64decode(entry[ARRAY], validate=True)
    except (ValueError, TypeError, binascii.Error) as error:
        raise WireError("an array is no base64") from error
    return array_of(data, entry.get("dtype"), entry.get("shape"), NUMBERS)
