"""Ray traced or raster: how the episodes are rendered for which the original traces rays (docs/simpler.md 8.3).

What is chosen once for a run is a short text: ``raster``, or a way of tracing and a denoiser (``trace:optix``, ``trace:oidn``,
``trace:none``, ``fast:oidn``). It is decided in a child process, by rendering and looking: a denoiser that the driver does not
support may return zeros without an error, or end the process.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from eval.errors import UserError, did_you_mean
from eval.sim.probe import last_json, render_box, run_module
from eval.sim.shaders import Shaders, raster_shaders, ray_tracing_shaders

RASTER, TRACE, FAST = "raster", "trace", "fast"
NONE = "none"
"""No denoiser."""


class Tracing(NamedTuple):
    """A way of tracing rays."""

    samples: int
    """Rays a pixel."""
    denoisers: tuple[str, ...]
    """In the order of preference; without ``NONE`` one of them is needed."""
    early_end: bool
    """Whether dim paths end early, and what a photo covers (:mod:`eval.sim.shaders`): the same mean, a fraction of the time."""


TRACINGS = {
    TRACE: Tracing(samples=32, denoisers=("optix", "oidn", NONE), early_end=False),  # the original's
    FAST: Tracing(samples=16, denoisers=("oidn", "optix"), early_end=True),  # of 8, six of ten recorded images are too far off
}
PATH_DEPTH = 8
"""Bounces of the original, whatever the way."""
Choice = str
"""See above."""
MODES = ("auto", TRACE, FAST, RASTER)
PROBE_SECONDS = 180.0
SOFTWARE = ("llvmpipe", "SwiftShader")
"""Devices that are a CPU: minutes a ray-traced image."""


def choose(mode: str, render_device: str | None = None) -> Choice:
    """The rendering that ``--rt`` chooses on this machine.

    ``auto``: trace where a GPU renders, raster elsewhere; ``trace``; ``fast``: fewer rays, a denoiser, and an early end of dim
    paths; ``raster``. ``render_device``: what renders, in SAPIEN's words; None: the best there is. Raises ``UserError`` for
    another mode, and for ``fast`` where no denoiser works.
    """
    if mode not in MODES:
        raise UserError(f'--rt "{mode}" is not known; use auto, trace, fast or raster.{did_you_mean(mode, MODES)}')
    if mode == RASTER:
        return RASTER
    device = _device(render_device)
    if mode == "auto" and (not device or is_software(device)):
        return RASTER
    way = FAST if mode == FAST else TRACE
    denoiser = _denoiser(way, device, render_device)
    if denoiser is None:
        raise UserError(
            f"--rt fast needs a denoiser ({' or '.join(TRACINGS[way].denoisers)}), and none works on "
            f"{device or 'what renders here'}; use --rt trace ({TRACINGS[TRACE].samples} rays a pixel) or --rt raster."
        )
    return f"{way}:{denoiser}"


def ends_early(choice: Choice) -> bool:
    """Whether dim paths end early, and what a photo covers."""
    return choice != RASTER and TRACINGS[choice.partition(":")[0]].early_end


def is_software(device: str) -> bool:
    """Whether the device of this name is a CPU."""
    return any(name in device for name in SOFTWARE)


def apply(choice: Choice, depth: bool = False) -> Shaders:
    """Configure SAPIEN, before a camera is made. ``depth``: whether it needs images of depths. Returns what it renders with."""
    import sapien

    if choice == RASTER:
        shaders = raster_shaders(depth)
        sapien.render.set_camera_shader_dir(shaders.folder)
        return shaders
    way, _, denoiser = choice.partition(":")
    shaders = ray_tracing_shaders(TRACINGS[way].early_end)
    sapien.render.set_camera_shader_dir(shaders.folder)
    sapien.render.set_ray_tracing_samples_per_pixel(TRACINGS[way].samples)
    sapien.render.set_ray_tracing_path_depth(PATH_DEPTH)
    sapien.render.set_ray_tracing_denoiser(denoiser)
    return shaders


def record(choice: Choice) -> Mapping[str, str | int]:
    """For ``run.json``: the fields of a ``RenderingRecord`` (:mod:`eval.records.header`)."""
    if choice == RASTER:
        return {"rt": RASTER}
    way, _, denoiser = choice.partition(":")
    shaders = ray_tracing_shaders(TRACINGS[way].early_end)
    return {
        "rt": way,
        "samples": TRACINGS[way].samples,
        "path_depth": PATH_DEPTH,
        "denoiser": denoiser,
        "light": shaders.light,
        "early_end": shaders.early_end,
    }


@functools.cache
def _device(render_device: str | None) -> str:
    """Name of the device that renders; empty if there is none."""
    return str((_probe("device", render_device) or {}).get("device", ""))


def _denoiser(way: str, device: str, render_device: str | None) -> str | None:
    """The way's first denoiser that works, or ``NONE`` if that comes first; None if there is no such."""
    return next((name for name in TRACINGS[way].denoisers if name == NONE or _works(way, name, device, render_device)), None)


@functools.cache
def _works(way: str, denoiser: str, device: str, render_device: str | None) -> bool:
    """Whether an image that is traced that way and denoised is like the noisy one, with the shaders that it will have."""
    if is_software(device):
        return False  # both need CUDA
    seen = _probe(f"{way}:{denoiser}", render_device)
    return bool(seen and seen["plain"] > 0.02 and abs(seen["denoised"] - seen["plain"]) < 0.2 * seen["plain"])


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
    way = what.partition(":")[0]
    return {"plain": _brightness(f"{way}:{NONE}"), "denoised": _brightness(what)}


def _brightness(choice: Choice) -> float:
    import numpy as np
    import sapien

    apply(choice)
    image = render_box(sapien.render.RenderSystem(), (0.8, 0.3, 0.2), light=0.4, size=(128, 96))
    return float(np.nan_to_num(image[..., :3]).mean())


if __name__ == "__main__":
    if sys.argv[1] != "device" and sys.argv[1].partition(":")[0] not in TRACINGS:
        sys.exit(2)
    print(json.dumps(_look(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)), flush=True)
    os._exit(0)  # some drivers hang while they are unloaded
