"""Can SAPIEN draw on this machine? Asked in a process of its own, because a broken driver ends the process that asks.

``python -m eval.diagnostics.vulkan`` draws one small image, looks at it, and ends with exit code 0 and a line about the
device.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

MEND = (
    "install a Vulkan driver: apt-get install mesa-vulkan-drivers libvulkan1 libx11-6 "
    "(Debian 12: with -t bookworm-backports); with an NVIDIA card, the driver's Vulkan part"
)
NO_DEVICE = f"No Vulkan device that SAPIEN can draw with; {MEND}."
"""The one line that a user sees when there is nothing to draw with."""

FIRST_PICTURE_SECONDS = 300.0
"""A software renderer compiles its shaders for the first picture: seconds, on a busy machine many of them."""


class VulkanDevice(BaseModel):
    """A device as its driver describes it."""

    model_config = ConfigDict(frozen=True)

    name: str
    """``"llvmpipe (LLVM 15.0.6, 256 bits)"``"""
    driver: str = ""
    """``"llvmpipe"``, ``"NVIDIA"``; empty when the driver is older than Vulkan 1.2."""
    driver_info: str = ""
    """The driver's own version line: ``"Mesa 25.0.7-2 (LLVM 15.0.6)"``, ``"550.54.15"``."""

    def __str__(self) -> str:
        """One line for people."""
        return ", ".join(part for part in (self.name, self.driver, self.driver_info) if part)


class VulkanReport(BaseModel):
    """What the drawing process found."""

    model_config = ConfigDict(frozen=True)

    device: VulkanDevice | None = None
    """The device that SAPIEN chose; None when it found none."""
    drew: bool = False
    """A picture was drawn and shows what it should."""
    error: str = ""
    """Why not, in one line."""


def probe_vulkan(timeout: float = FIRST_PICTURE_SECONDS) -> VulkanReport:
    """Draw a small picture in a child process.

    Args:
        timeout: seconds after which the child is ended and the device counts as unusable.
    """
    command = [sys.executable, "-m", "eval.diagnostics.vulkan", "--json"]
    # The child must find this very package wherever it is started.
    environment = {**os.environ, "PYTHONPATH": _with_path(str(Path(__file__).parents[2]))}
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)
    except subprocess.TimeoutExpired:
        return VulkanReport(error=f"no picture within {timeout:g} s")
    lines = [line for line in child.stdout.splitlines() if line.startswith("{")]
    if lines:
        return VulkanReport.model_validate_json(lines[-1])
    said = child.stderr.strip().splitlines() or ["nothing"]
    return VulkanReport(error=f"the drawing process ended with code {child.returncode}, saying: {said[-1]}")


def _with_path(first: str) -> str:
    return os.pathsep.join(part for part in (first, os.environ.get("PYTHONPATH", "")) if part)


def draw_one_picture() -> VulkanReport:
    """Draw a red box with SAPIEN in this process and look whether the picture has it."""
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
        red, aside = _red_box(sapien, renderer)
    except RuntimeError as error:
        return VulkanReport(device=device, error=str(error))
    drew = red[0] > 0.3 and max(red[1:3]) < 0.1 and min(aside[:3]) > 0.1
    return VulkanReport(device=device, drew=drew, error="" if drew else f"the picture is wrong: {red} {aside}")


def _red_box(sapien: Any, renderer: Any) -> tuple[list[float], list[float]]:
    """The colours (RGBA, 0..1) in the middle of a red box and beside it, where the lit background is."""
    scene = sapien.Scene([sapien.physx.PhysxCpuSystem(), renderer])
    scene.set_ambient_light([0.5, 0.5, 0.5])
    scene.add_directional_light([1, 0, -1], [1, 1, 1])
    builder = scene.create_actor_builder()
    builder.add_box_visual(half_size=[0.3, 0.3, 0.3], material=[1, 0, 0])
    builder.build_kinematic()
    camera = scene.add_camera("probe", 64, 48, fovy=1.0, near=0.01, far=10.0)
    camera.entity.set_pose(sapien.Pose([-2, 0, 0]))
    scene.update_render()
    camera.take_picture()
    picture = camera.get_picture("Color")
    return picture[24, 32].tolist(), picture[2, 2].tolist()


def vulkan_devices() -> list[VulkanDevice]:
    """All devices that the Vulkan loader offers, asked through its C interface; empty when there is no loader.

    SAPIEN tells the name alone. The version of Mesa, which decides pictures and speed, is in the driver's properties.
    """
    try:
        vulkan = ctypes.CDLL(os.environ.get("SAPIEN_VULKAN_LIBRARY_PATH", "libvulkan.so.1"))
    except OSError:
        return []
    application = _ApplicationInfo(sType=0, apiVersion=(1 << 22) | (2 << 12))
    create = _InstanceCreateInfo(sType=1, pApplicationInfo=ctypes.pointer(application))
    instance = ctypes.c_void_p()
    if vulkan.vkCreateInstance(ctypes.byref(create), None, ctypes.byref(instance)) != 0:
        return []
    try:
        count = ctypes.c_uint32()
        vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
        handles = (ctypes.c_void_p * count.value)()
        vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles)
        return [_describe(vulkan, ctypes.c_void_p(handle)) for handle in handles]
    finally:
        vulkan.vkDestroyInstance(instance, None)


def _describe(vulkan: ctypes.CDLL, handle: ctypes.c_void_p) -> VulkanDevice:
    driver = _DriverProperties(sType=1000196000)
    properties = _Properties2(sType=1000059001, pNext=ctypes.cast(ctypes.pointer(driver), ctypes.c_void_p))
    vulkan.vkGetPhysicalDeviceProperties2(handle, ctypes.byref(properties))
    return VulkanDevice(
        name=properties.deviceName.decode(errors="replace"),
        driver=driver.driverName.decode(errors="replace"),
        driver_info=driver.driverInfo.decode(errors="replace"),
    )


class _ApplicationInfo(ctypes.Structure):
    _fields_ = (
        ("sType", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("pApplicationName", ctypes.c_char_p),
        ("applicationVersion", ctypes.c_uint32),
        ("pEngineName", ctypes.c_char_p),
        ("engineVersion", ctypes.c_uint32),
        ("apiVersion", ctypes.c_uint32),
    )


class _InstanceCreateInfo(ctypes.Structure):
    _fields_ = (
        ("sType", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("flags", ctypes.c_uint32),
        ("pApplicationInfo", ctypes.POINTER(_ApplicationInfo)),
        ("enabledLayerCount", ctypes.c_uint32),
        ("ppEnabledLayerNames", ctypes.c_void_p),
        ("enabledExtensionCount", ctypes.c_uint32),
        ("ppEnabledExtensionNames", ctypes.c_void_p),
    )


class _DriverProperties(ctypes.Structure):
    _fields_ = (
        ("sType", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("driverID", ctypes.c_int),
        ("driverName", ctypes.c_char * 256),
        ("driverInfo", ctypes.c_char * 256),
        ("conformanceVersion", ctypes.c_uint8 * 4),
    )


class _Properties2(ctypes.Structure):
    _fields_ = (
        ("sType", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("apiVersion", ctypes.c_uint32),
        ("driverVersion", ctypes.c_uint32),
        ("vendorID", ctypes.c_uint32),
        ("deviceID", ctypes.c_uint32),
        ("deviceType", ctypes.c_int),
        ("deviceName", ctypes.c_char * 256),
        # Limits and sparse properties, which nobody here reads: 548 bytes in the standard, and room to spare.
        ("rest", ctypes.c_uint64 * 128),
    )


def main() -> int:
    """Draw, say what was found, and return the exit code."""
    report = draw_one_picture()
    if "--json" in sys.argv[1:]:
        print(json.dumps(report.model_dump()))
    else:
        print(f"SAPIEN draws on {report.device}" if report.drew else f"{NO_DEVICE} ({report.error})")
    return 0 if report.drew else 1


if __name__ == "__main__":
    sys.exit(main())
