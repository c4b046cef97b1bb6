"""The world a run plays in unless told otherwise: our own, on SAPIEN 3. Imported inside worker processes only."""

from __future__ import annotations

import functools
from typing import Any

import gymnasium

from eval.assets.resolver import Assets
from eval.backends.vulkan import NO_DEVICE, vulkan_devices
from eval.episode import EpisodeSpec
from eval.sim import make_world as make_drawn_world
from eval.sim import ray_tracing, scene_key

NAME = "simpler-eval's world on SAPIEN 3"
open_assets = Assets.from_option

__all__ = ["NAME", "drawing", "drivers", "make_world", "open_assets", "refusal", "scene_key", "set_drawing"]

_rt = ray_tracing.RASTER


def set_drawing(rt: str) -> None:
    """How ray-traced episodes are drawn from now on (:mod:`eval.sim.ray_tracing`)."""
    global _rt
    _rt = rt


def drawing() -> dict[str, Any]:
    """The same for the record."""
    return dict(ray_tracing.record(_rt))


def make_world(spec: EpisodeSpec, assets: Assets, render: bool) -> gymnasium.Env[Any, Any]:
    """The world of an episode."""
    return make_drawn_world(spec, assets, render, rt=_rt)


@functools.cache
def drivers() -> list[dict[str, Any]]:
    """Name, driver and driver version (Mesa's, NVIDIA's) of every Vulkan device of this machine."""
    return [device.model_dump() for device in vulkan_devices()]


def refusal(error: Exception) -> str | None:
    """Why no episode at all can be played, if that is what ``error`` means."""
    return NO_DEVICE if "failed to find a rendering device" in str(error) else None
