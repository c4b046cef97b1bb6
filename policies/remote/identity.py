"""What a run records about a policy server: which it is, never where it is nor what it lets us in by."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import numpy as np
from pydantic import JsonValue

from policies.base import PolicyDescription
from policies.remote.address import Address
from policies.remote.client import ServerInfo, printable
from policies.remote.conventions import Family

SECRET = re.compile(r"token|secret|passw|api_?key|authori[sz]ation|credential|cookie", re.IGNORECASE)
PASSING = re.compile(r"^(host|hostname|ip|port|address|url|uri|pid|time|timestamp|started.*|start_time|uptime.*|session.*|"
                     r".*_(host|port|pid|url)|server_timing)$", re.IGNORECASE)  # fmt: skip
"""Keys whose values change although the model does not."""
LONGEST = 500
"""Characters of a text; of a longer one the hash is recorded."""
DEEPEST = 8
MOST = 200
"""Entries of a list or map."""
NAME = 80


def described(info: ServerInfo, name: str | None, address: Address, family_name: str, family: Family) -> PolicyDescription:
    """Of a server that is not ours: protocol, conventions and what it says of itself decide; its weights are not known."""
    protocol = "http" if address.scheme == "https" else address.scheme
    shown = name or printable(info.name)[:NAME] or family_name
    return PolicyDescription(
        name=shown,
        unnorm_keys={str(robot): key for robot, key in family.unnorm_key.items()}
        if "$unnorm_key" in str(family.requests)
        else {},
        settings={
            "protocol": protocol,
            "family": family_name,
            "conventions": family.model_dump(mode="json", exclude={"source"}),
            "server": recorded(info.said),
        },
        remarks=(f"behind {protocol}, which does not say its weights",),
        details={"address": str(address), **{key: recorded(value) for key, value in info.details.items()}},
    )


def described_as_ours(info: ServerInfo, address: Address) -> PolicyDescription:
    """Of a policy behind ``simpler-eval serve``: it is the same policy as without a wire."""
    assert info.served is not None
    policy = info.served.policy
    return policy.model_copy(update={"details": {"address": str(address)}})


def recorded(value: object, depth: int = 0) -> JsonValue:
    """What a server says, as JSON of a bounded size; secrets and what passes are left out, arrays and long texts hashed."""
    if isinstance(value, Mapping):
        kept = {printable(key)[:NAME]: entry for key, entry in value.items() if not _left_out(str(key))}
        if depth >= DEEPEST or len(kept) > MOST:
            return _hash(repr(sorted(kept)))
        return {key: recorded(entry, depth + 1) for key, entry in kept.items()}
    if isinstance(value, np.ndarray):
        return recorded(value.tolist(), depth) if value.size <= MOST and value.ndim <= 2 else _hash(value.tobytes())
    if isinstance(value, list | tuple):
        if depth >= DEEPEST or len(value) > MOST:
            return _hash(repr(value))
        return [recorded(entry, depth + 1) for entry in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, str) and len(value) <= LONGEST:
        return printable(value)
    return _hash(value.encode(errors="surrogatepass") if isinstance(value, str) else repr(value))


def _left_out(key: str) -> bool:
    return bool(SECRET.search(key) or PASSING.match(key))


def _hash(content: str | bytes) -> str:
    data = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    return f"blake2b:{hashlib.blake2b(data, digest_size=16).hexdigest()}"
