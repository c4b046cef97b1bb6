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

    protocol: Protocol = Field(default="vla-eval", description="Protocol: vla-eval (default) or openpi.")
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; default: 127.0.0.1, this machine only. 0.0.0.0: all interfaces.",
    )
    port: int = Field(default=8000, ge=0, le=65_535, description="Port; default: 8000; 0: any free port.")
    robot: RobotName | None = Field(
        default=None,
        description="widowx or google_robot, for all clients. Default: taken from each request, or its task's name.",
    )
    message_mb: int = Field(
        default=16, ge=1, le=64, description="Maximum message size in MB, default 16; an uncompressed camera image has 1."
    )
    clients: int = Field(default=128, ge=1, le=4096, description="Maximum number of connections, default 128.")

    def warnings(self) -> list[str]:
        """What whoever starts the server should know."""
        try:
            alone = ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            alone = self.host == "localhost"
        return [] if alone else [f"{self.host} is open to everybody who reaches this machine; there is no password"]
