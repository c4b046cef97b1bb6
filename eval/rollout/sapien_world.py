"""The world a run plays in unless told otherwise: our own, on SAPIEN 3. Imported inside worker processes only."""

from __future__ import annotations

import functools
from typing import Any

from eval.envs import make_world, scene_key
from eval.envs.assets import Assets
from eval.vulkan import NO_DEVICE, vulkan_devices

NAME = "simpler-eval's world on SAPIEN 3"
open_assets = Assets.from_option

__all__ = ["NAME", "drivers", "make_world", "open_assets", "refusal", "scene_key"]


@functools.cache
def drivers() -> list[dict[str, Any]]:
    """Name, driver and driver version (Mesa's, NVIDIA's) of every Vulkan device of this machine."""
    return [device.model_dump() for device in vulkan_devices()]


def refusal(error: Exception) -> str | None:
    """Why no episode at all can be played, if that is what ``error`` means."""
    return NO_DEVICE if "failed to find a rendering device" in str(error) else None
