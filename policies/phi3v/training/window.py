"""What is told of the steps since the last time: means over them, and how fast they were."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from policies.phi3v.training.loss import Measured


class Window:
    """Means over the steps since it was last emptied.

    Args:
        batch_size: samples of a step.
        total: sums up what the processes of a training have.
    """

    def __init__(self, batch_size: int, total: Callable[[Tensor], Tensor]) -> None:
        self._batch_size, self._total = batch_size, total
        self._clear()

    def _clear(self) -> None:
        self._sums: list[Tensor] = []
        self._lengths: list[Tensor] = []
        self._rate = 0.0
        self.begin()

    def begin(self) -> None:
        """The clock starts anew, after something that is no part of training."""
        self._began, self._waited = time.monotonic(), 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While the next samples are not ready."""
        began = time.monotonic()
        yield
        self._waited += time.monotonic() - began

    def add(self, measured: Measured, share: float) -> None:
        """A part of a step."""
        self._sums.append(torch.stack([measured.loss.detach(), measured.accuracy, measured.l1]) * share)

    def close(self, length: Tensor, rate: float) -> None:
        """A step is over: the length of its gradients, which stays where it is, and its learning rate."""
        self._lengths.append(length)
        self._rate = rate

    def taken(self) -> dict[str, float]:
        """The means; empties the window. Every process must ask for it."""
        steps = len(self._lengths)
        if not steps:
            return {}
        loss, accuracy, l1 = (self._total(torch.stack(self._sums).sum(0)) / steps).tolist()
        length = sum(torch.stack(self._lengths).tolist()) / steps
        seconds = time.monotonic() - self._began  # after the GPU was waited for
        metrics = {
            "loss": loss, "token_accuracy": accuracy, "l1": l1, "learning_rate": self._rate,
            "gradient_norm": length, "samples_per_second": steps * self._batch_size / seconds,
            "waiting_for_data": self._waited / seconds,
        }  # fmt: skip
        self._clear()
        return metrics
