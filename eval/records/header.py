"""``run.json`` as a model: what a run is, and what decides whether two runs may be pooled, continued or compared."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from eval.assets.record import AssetsRecord as AssetsRecord

SCHEMA_VERSION = 2


class RecordModel(BaseModel):
    """Frozen; a key that is not known is an error, so that nothing recorded is silently lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RenderingRecord(RecordModel):
    """How those images were rendered for which the original traces rays."""

    rt: Literal["raster", "trace"]
    samples: int | None = None
    """Rays a pixel."""
    path_depth: int | None = None
    denoiser: str | None = None


class WorldIdentity(RecordModel):
    """What of a world decides its numbers."""

    name: str
    """``simpler-eval``, ``simpler-env`` or a user's module."""
    versions: dict[str, str] = {}
    """Of packages that are not ours: the simulator's version, the original's commits."""
    rendering: RenderingRecord | None = None
    """None where no episode asks for ray tracing."""


class WorldRecord(RecordModel):
    """What the workers told about the world they played in."""

    name: str
    """For titles, e.g. ``simpler-eval's world on SAPIEN 3``."""
    assets: AssetsRecord | None = None
    device: str | None = None
    """What renders, in the simulator's words."""
    rendering: RenderingRecord | None = None
    drivers: tuple[JsonValue, ...] = ()
    versions: dict[str, JsonValue] = {}
