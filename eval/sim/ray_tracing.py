"""Ray traced or raster: how the episodes are rendered for which the original traces rays (docs/simpler.md 8.3).

What is chosen once for a run is a short text: ``raster``, or ``trace:`` and a denoiser (``trace:optix``, ``trace:oidn``,
``trace:none``). It is decided in a child process, by rendering and looking: a denoiser that the driver does not support may
return zeros without an error, or end the process.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from eval.errors import UserError, did_you_mean
from eval.sim.probe import last_json, render_box, run_module
from eval.sim.shaders import ray_tracing_shaders

SAMPLES, PATH_DEPTH = 32, 8
"""Rays a pixel and bounces of the original."""
DENOISERS = ("optix", "oidn")
"""In the order of preference; the first is the original's."""
RASTER, TRACE = "raster", "trace"
Choice = str
"""See above."""
MODES = ("auto", TRACE, RASTER)
PROBE_SECONDS = 180.0
SOFTWARE = ("llvmpipe", "SwiftShader")
"""Devices that are a CPU: minutes a ray-traced image."""


def choose(mode: str, render_device: str | None = None) -> Choice:
    """The rendering that ``--rt`` chooses on this machine.

    ``auto``: trace where a GPU renders, raster elsewhere; ``trace``; ``raster``. ``render_device``: what renders, in SAPIEN's
    words; None: the best there is. Raises ``UserError`` for another mode.
    """
    if mode not in MODES:
        raise UserError(f'--rt "{mode}" is not known; use auto, trace or raster.{did_you_mean(mode, MODES)}')
    if mode == RASTER:
        return RASTER
    device = _device(render_device)
    if mode == "auto" and (not device or any(name in device for name in SOFTWARE)):
        return RASTER
    return f"{TRACE}:{_denoiser(device, render_device)}"


def apply(choice: Choice) -> None:
    """Configure SAPIEN, before a camera is made."""
    import sapien

    if choice == RASTER:
        sapien.render.set_camera_shader_dir("default")
        return
    sapien.render.set_camera_shader_dir(ray_tracing_shaders().folder)
    sapien.render.set_ray_tracing_samples_per_pixel(SAMPLES)
    sapien.render.set_ray_tracing_path_depth(PATH_DEPTH)
    sapien.render.set_ray_tracing_denoiser(choice.partition(":")[2])


def record(choice: Choice) -> Mapping[str, str | int]:
    """For ``run.json``: the fields of a ``RenderingRecord`` (:mod:`eval.records.header`)."""
    if choice == RASTER:
        return {"rt": RASTER}
    light = ray_tracing_shaders().light
    return {"rt": TRACE, "samples": SAMPLES, "path_depth": PATH_DEPTH, "denoiser": choice.partition(":")[2], "light": light}


@functools.cache
def _device(render_device: str | None) -> str:
    """Name of the device that renders; empty if there is none."""
    return str((_probe("device", render_device) or {}).get("device", ""))


@functools.cache
def _denoiser(device: str, render_device: str | None) -> str:
    """The first denoiser whose image is like the noisy one; ``none`` if there is none."""
    if any(name in device for name in SOFTWARE):
        return "none"  # both need CUDA
    for name in DENOISERS:
        seen = _probe(name, render_device)
        if seen and seen["plain"] > 0.02 and abs(seen["denoised"] - seen["plain"]) < 0.2 * seen["plain"]:
            return name
    return "none"


def _probe(what: str, render_device: str | None) -> dict[str, Any] | None:
    """What a child process saw; None if it failed, died or hung."""
    child = run_module("eval.sim.ray_tracing", [what, *([render_device] if render_device else [])], PROBE_SECONDS)
    line = last_json(child) if child is not None and child.returncode == 0 else None
    return None if line is None else json.loads(line)


def _look(what: str, render_device: str | None) -> dict[str, Any]:
    """In the child: the device, or the mean brightness of a small scene without and with a denoiser."""
    from eval.sim.physics import kept_renderer

    renderer = kept_renderer(render_device)  # every other one of the process is on the same device
    if what == "device":
        return {"device": str(renderer.device.name)}
    return {"plain": _brightness("none"), "denoised": _brightness(what)}


def _brightness(denoiser: str) -> float:
    import numpy as np
    import sapien

    apply(f"{TRACE}:{denoiser}")
    image = render_box(sapien.render.RenderSystem(), (0.8, 0.3, 0.2), light=0.4, size=(128, 96))
    return float(np.nan_to_num(image[..., :3]).mean())


if __name__ == "__main__":
    if sys.argv[1] not in ("device", *DENOISERS):
        sys.exit(2)
    print(json.dumps(_look(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)), flush=True)
    os._exit(0)  # some drivers hang while they are unloaded
