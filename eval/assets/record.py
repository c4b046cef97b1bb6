"""A run's record of the asset files that its worlds read."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class AssetsRecord(BaseModel):
    """The files that a world read. A key that is not known is an error, so that nothing recorded is silently lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    packs: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] | None = None
    """Names of the files that a stand-in replaced; None: not known."""
    kind: Literal["original", "stand-ins", "mixed"] | None = None
    files: dict[str, str] = {}
    """Checksum by name, of the files that came from a pack."""
    broken: dict[str, str] = {}
    """Files of packs that were passed over, with the reason."""
