"""How a policy is served: what the command line takes, and Python callers give."""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import Field

from eval.options import Options
from policies.base import RobotName

Protocol = Literal["vla-eval", "openpi"]


class ServingOptions(Options):
    """The descriptions of the fields are the help texts of the command line."""

    protocol: Protocol = Field(default="vla-eval", description="What clients speak: vla-eval (default) or openpi.")
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen at; default: 127.0.0.1, for this machine alone. 0.0.0.0: for all that reach it.",
    )
    port: int = Field(default=8000, ge=0, le=65_535, description="Default: 8000; 0: any that is free.")
    robot: RobotName | None = Field(
        default=None, description="widowx or google_robot: of all clients. Default: each says it, or its task's name does."
    )
    message_mb: int = Field(
        default=16, ge=1, le=64, description="Most MB of a message, default 16; an uncompressed camera image has 1."
    )
    clients: int = Field(default=128, ge=1, le=4096, description="Most connections at a time, default 128.")

    def warnings(self) -> list[str]:
        """What whoever starts the server should know."""
        try:
            alone = ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            alone = self.host == "localhost"
        return [] if alone else [f"{self.host} is open to everybody who reaches this machine; there is no password"]
