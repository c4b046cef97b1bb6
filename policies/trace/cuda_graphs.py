"""A function of tensors that is replayed where it can be, and called where it cannot."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from policies.phi3v.fast.graphs import Graphs


class Replayed:
    """Calls ``function`` by replaying it. Its inputs may differ in value alone; whatever else it reads must stay in place."""

    def __init__(self, function: Callable[..., Tensor], device: torch.device) -> None:
        """``function``: of tensors on ``device``; without randomness and without waiting for the GPU."""
        self._function = function
        self._graphs = Graphs() if device.type == "cuda" else None
        self.failure: str | None = None
        """Why it is called and not replayed, if so."""

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The function's result; valid until the next call."""
        if self._graphs is None or self.failure is not None:
            return self._function(*inputs)
        key = tuple(each.shape for each in inputs)
        try:
            return self._graphs.call(key, lambda *given: (self._function(*given),), *inputs)[0]
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.failure = str(error).splitlines()[0]
            return self._function(*inputs)

    def clear(self) -> None:
        """Forget what was recorded: something that the function reads lies elsewhere now."""
        if self._graphs is not None:
            self._graphs.clear()
