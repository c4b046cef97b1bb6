"""The Vulkan devices of this machine, asked without SAPIEN, and what to say where there is none."""

from __future__ import annotations

import ctypes
import os

from pydantic import BaseModel, ConfigDict

FIX = (
    "install a Vulkan driver: apt-get install mesa-vulkan-drivers libvulkan1 libx11-6 "
    "(Debian 12: with -t bookworm-backports); with an NVIDIA card, the driver's Vulkan part"
)
CPU_TYPE = 4
"""``VK_PHYSICAL_DEVICE_TYPE_CPU``."""
NO_DEVICE = f"No Vulkan device that SAPIEN can render with; {FIX}."
"""The one line that a user sees when there is nothing to render with."""


class VulkanDevice(BaseModel):
    """A device as its driver describes it."""

    model_config = ConfigDict(frozen=True)

    name: str
    """``"llvmpipe (LLVM 15.0.6, 256 bits)"``"""
    driver: str = ""
    """``"llvmpipe"``, ``"NVIDIA"``; empty when the driver is older than Vulkan 1.2."""
    driver_info: str = ""
    """The driver's own version line: ``"Mesa 25.0.7-2 (LLVM 15.0.6)"``, ``"550.54.15"``."""
    pci: str = ""
    """Address on the PCI bus, ``"0000:0a:00.0"``; of a CPU, or where the driver does not say, all zeros."""
    is_cpu: bool = False
    """Whether it is a program that renders on the CPU."""

    def __str__(self) -> str:
        """One line for people."""
        return ", ".join(part for part in (self.name, self.driver, self.driver_info) if part)


def vulkan_devices() -> list[VulkanDevice]:
    """All devices that the Vulkan loader offers, asked through its C interface; empty when there is no loader.

    SAPIEN reports the name alone. The version of Mesa, which decides images and speed, is in the driver's properties.
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
    bus = _BusProperties(sType=1000212000)
    driver = _DriverProperties(sType=1000196000, pNext=ctypes.cast(ctypes.pointer(bus), ctypes.c_void_p))
    properties = _Properties2(sType=1000059001, pNext=ctypes.cast(ctypes.pointer(driver), ctypes.c_void_p))
    vulkan.vkGetPhysicalDeviceProperties2(handle, ctypes.byref(properties))
    return VulkanDevice(
        name=properties.deviceName.decode(errors="replace"),
        driver=driver.driverName.decode(errors="replace"),
        driver_info=driver.driverInfo.decode(errors="replace"),
        pci=f"{bus.domain:04x}:{bus.bus:02x}:{bus.device:02x}.{bus.function:x}",
        is_cpu=properties.deviceType == CPU_TYPE,
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


class _BusProperties(ctypes.Structure):
    _fields_ = (
        ("sType", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("domain", ctypes.c_uint32),
        ("bus", ctypes.c_uint32),
        ("device", ctypes.c_uint32),
        ("function", ctypes.c_uint32),
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
        # Limits and sparse properties, which are not read here: 548 bytes in the standard, and room to spare.
        ("rest", ctypes.c_uint64 * 128),
    )
