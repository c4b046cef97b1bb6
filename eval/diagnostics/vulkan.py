"""Can SAPIEN render on this machine? Asked in a process of its own, because a broken driver ends the process that asks.

``python -m eval.diagnostics.vulkan`` renders one small image, checks it, and ends with exit code 0 and a line about the
device.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from eval.backends.vulkan import NO_DEVICE, VulkanDevice, vulkan_devices
from eval.sim.probe import last_json, render_box, run_module

if TYPE_CHECKING:
    import sapien

FIRST_IMAGE_SECONDS = 300.0
"""A software renderer compiles its shaders for the first image: that takes seconds, and minutes on a busy machine."""

Rgba = tuple[float, float, float, float]
"""0..1."""


class VulkanReport(BaseModel):
    """What the rendering process found."""

    model_config = ConfigDict(frozen=True)

    device: VulkanDevice | None = None
    """The device that SAPIEN chose; None when it found none."""
    rendered: bool = False
    """An image was rendered and shows what it should."""
    error: str = ""
    """Why not, in one line."""


def probe_vulkan(timeout: float = FIRST_IMAGE_SECONDS) -> VulkanReport:
    """Render a small image in a child process.

    timeout: seconds after which the child is ended and the device counts as unusable.
    """
    child = run_module("eval.diagnostics.vulkan", ["--json"], timeout)
    if child is None:
        return VulkanReport(error=f"no image within {timeout:g} s")
    if line := last_json(child):
        return VulkanReport.model_validate_json(line)
    last = (child.stderr.strip().splitlines() or ["nothing"])[-1]
    return VulkanReport(error=f"the rendering process ended with code {child.returncode}; its last line: {last}")


def render_test_image() -> VulkanReport:
    """Render a red box with SAPIEN in this process and check that the image shows it."""
    try:
        import sapien
    except ImportError as error:
        return VulkanReport(error=f"SAPIEN cannot be imported: {error}")
    try:
        renderer = sapien.render.RenderSystem()
        name = str(renderer.device.name)
    except RuntimeError as error:
        return VulkanReport(error=str(error))
    device = next((device for device in vulkan_devices() if device.name == name), VulkanDevice(name=name))
    try:
        box, background = _red_box(renderer)
    except RuntimeError as error:
        return VulkanReport(device=device, error=str(error))
    right = box[0] > 0.3 and max(box[1:3]) < 0.1 and min(background[:3]) > 0.1
    return VulkanReport(device=device, rendered=right, error="" if right else f"the image is wrong: {box} {background}")


def _red_box(renderer: sapien.render.RenderSystem) -> tuple[Rgba, Rgba]:
    """The colours in the middle of a red box and beside it, where the lit background is."""
    image = render_box(renderer, (1, 0, 0), light=0.5)
    box, background = (tuple(image[row, column].tolist()) for row, column in ((24, 32), (2, 2)))
    return box, background


def main() -> int:
    """Render, say what was found, and return the exit code."""
    report = render_test_image()
    if "--json" in sys.argv[1:]:
        print(json.dumps(report.model_dump()))
    else:
        print(f"SAPIEN renders on {report.device}" if report.rendered else f"{NO_DEVICE} ({report.error})")
    return 0 if report.rendered else 1


if __name__ == "__main__":
    sys.exit(main())
