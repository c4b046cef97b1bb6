"""Where the time of a policy goes, without waiting for the GPU on its account."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Clock:
    """Seconds by part, since it was made."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._device = device
        self._marks: list[tuple[str, torch.cuda.Event | float]] = []

    @contextmanager
    def host(self, part: str) -> Iterator[None]:
        """What is done here until it returns."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - begin

    def mark(self, part: str) -> None:
        """What was given to the device since the last mark is ``part``; the first mark begins."""
        if self._device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append((part, event))
        else:
            self._marks.append((part, time.perf_counter()))

    def collect(self) -> None:
        """Add up the marks, once the device has done all that lies before the last one."""
        for (_, before), (part, after) in zip(self._marks, self._marks[1:], strict=False):
            if isinstance(before, float) and isinstance(after, float):
                self.seconds[part] += after - before
            elif not isinstance(before, float):
                self.seconds[part] += before.elapsed_time(after) / 1e3
        self._marks.clear()

    def drop(self) -> None:
        """Forget marks of work that failed."""
        self._marks.clear()
