"""The GPUs that CUDA finds here, without a library that needs one.

``python -m eval.backends.cards`` prints them: it is asked in a process of its own, as a broken driver ends the process that
asks, and as a process that has begun with CUDA keeps the cards that it saw then.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, TypeAdapter

from eval.backends.render_devices import VISIBLE
from eval.sim.probe import run_module

PROBE_SECONDS = 60.0
DRIVER_FILES = ("/dev/nvidiactl", "/dev/dxg")
"""One of them is there where a driver is (the second: under Windows)."""


class Card(BaseModel):
    """A GPU."""

    model_config = ConfigDict(frozen=True)

    number: int
    """CUDA's, and so PyTorch's."""
    name: str

    @property
    def visible_as(self) -> str:
        """What makes it the only one that a process sees, as the value of ``CUDA_VISIBLE_DEVICES``."""
        seen = [part.strip() for part in os.environ.get(VISIBLE, "").split(",") if part.strip()]
        return seen[self.number] if self.number < len(seen) else str(self.number)

    def __str__(self) -> str:
        return f"cuda:{self.number} ({self.name})"


def visible_cards() -> list[Card]:
    """All GPUs that CUDA shows to this process; none where there is no driver."""
    if not any(os.path.exists(file) for file in DRIVER_FILES):
        return []
    child = run_module("eval.backends.cards", [], PROBE_SECONDS)
    lines = child.stdout.splitlines() if child is not None else []
    return TypeAdapter(list[Card]).validate_json(next((line for line in reversed(lines) if line.startswith("[")), "[]"))


def said(cards: Sequence[Card]) -> str:
    """A sentence about which there are."""
    hidden = f"; {VISIBLE}={os.environ[VISIBLE]} may hide others" if VISIBLE in os.environ else ""
    if not cards:
        return f"No GPU is visible here{hidden}."
    are = "1 GPU is" if len(cards) == 1 else f"{len(cards)} GPUs are"
    return f"{are} visible here: {', '.join(map(str, cards))}{hidden}."


def _ask_driver() -> list[Card]:
    """In the child."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return []
    count, name = ctypes.c_int(0), ctypes.create_string_buffer(256)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    cards = []
    for number in range(count.value):
        driver.cuDeviceGetName(name, len(name), number)
        cards.append(Card(number=number, name=name.value.decode(errors="replace")))
    return cards


if __name__ == "__main__":
    print(json.dumps([card.model_dump() for card in _ask_driver()]), flush=True)
    os._exit(0)
