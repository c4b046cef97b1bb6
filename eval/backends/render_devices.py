"""The devices that can render here, and what a user calls them: ``cuda:1``, ``cuda``, ``cpu``, ``pci:0000:0a:00.0``.

``cuda:N`` is CUDA's own number, as PyTorch counts: SAPIEN finds the Vulkan device by the address of the card on the PCI bus,
so the order in which Vulkan lists the cards does not matter, and ``CUDA_VISIBLE_DEVICES`` renumbers both alike. SAPIEN renders
on one device a process; other workers may use others.

``python -m eval.backends.render_devices`` prints them: it is asked in a process of its own, as a broken driver ends the process
that asks.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, TypeAdapter

from eval.backends.vulkan import NO_DEVICE, vulkan_devices
from eval.errors import UserError
from eval.sim.probe import run_module

PROBE_SECONDS = 60.0
KNOWN = re.compile(r"cpu|cuda(:\d+)?|pci:([0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]")
VISIBLE = "CUDA_VISIBLE_DEVICES"


class RenderDevice(BaseModel):
    """A device that SAPIEN can render with."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Its driver's: ``"NVIDIA H100 80GB HBM3"``."""
    pci: str
    """Address on the PCI bus: ``"0000:0a:00.0"``."""
    cuda: int | None = None
    """Number that CUDA gives it; None: CUDA does not see it."""
    is_cpu: bool = False

    @property
    def alias(self) -> str:
        """What a user calls it."""
        if self.cuda is not None:
            return f"cuda:{self.cuda}"
        return "cpu" if self.is_cpu else f"pci:{self.pci}"

    @property
    def handle(self) -> str:
        """What SAPIEN calls it, for which ``cpu`` would mean the best GPU."""
        return f"cuda:{self.cuda}" if self.cuda is not None else f"pci:{self.pci}"

    def is_called(self, name: str) -> bool:
        """Whether ``name`` means this device."""
        return name in (self.alias, f"pci:{self.pci}", f"pci:{self.pci.removeprefix('0000:')}")


def find_render_device(name: str) -> RenderDevice:
    """The device that a user calls ``name``; of several that ``cuda`` may mean, CUDA's first.

    Raises ``UserError`` that lists those there are.
    """
    wanted, devices = name.strip().lower(), render_devices()
    if not KNOWN.fullmatch(wanted):
        raise UserError(f'--render-device "{name}" is not known; use cuda, cuda:N, cpu or pci:ADDRESS. {_list(devices)}')
    of_cuda = sorted(device.cuda for device in devices if device.cuda is not None)
    if wanted == "cuda" and of_cuda:
        wanted = f"cuda:{of_cuda[0]}"
    found = next((device for device in devices if device.is_called(wanted)), None)
    if found is None:
        raise UserError(f"--render-device {name} is not possible. {_list(devices)}")
    before = devices[: devices.index(found)]
    if found.cuda is None and any(device.pci.startswith("0000:00:") for device in before):
        raise UserError(  # SAPIEN takes the first number of an address, 0000, for the bus, and its first device there
            f"--render-device {name} is not possible: SAPIEN cannot tell it from {before[0].alias}; hide that one from Vulkan "
            "(VK_ICD_FILENAMES names the driver to use)."
        )
    return found


def _list(devices: Sequence[RenderDevice]) -> str:
    if not devices:
        return NO_DEVICE
    hidden = f"; {VISIBLE}={os.environ[VISIBLE]} may hide others" if VISIBLE in os.environ else ""
    return f"Devices that can render here: {', '.join(f'{device.alias} ({device.name})' for device in devices)}{hidden}."


def render_devices() -> list[RenderDevice]:
    """All devices that can render here, in Vulkan's order; none if they cannot be asked."""
    child = run_module("eval.backends.render_devices", [], PROBE_SECONDS)
    lines = child.stdout.splitlines() if child is not None else []
    found = next((line for line in reversed(lines) if line.startswith("[")), "[]")  # drivers print, too
    return TypeAdapter(list[RenderDevice]).validate_json(found)


def _ask_sapien() -> list[RenderDevice]:
    """In the child: those of Vulkan's devices that SAPIEN renders with."""
    import sapien

    found = {}
    for device in vulkan_devices():
        seen = sapien.Device(f"pci:{device.pci}")
        if seen.can_render():
            cuda = seen.cuda_id if seen.is_cuda() else None
            found[device.pci] = RenderDevice(name=device.name, pci=device.pci, cuda=cuda, is_cpu=device.is_cpu)
    return list(found.values())


if __name__ == "__main__":
    print(json.dumps([device.model_dump() for device in _ask_sapien()]), flush=True)
    os._exit(0)  # some drivers hang while they are unloaded
