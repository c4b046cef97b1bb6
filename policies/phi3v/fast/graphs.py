"""CUDA graphs: the launches of a function recorded once and replayed at the cost of one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

MOST = 96
"""Graphs that are kept; a run sees a handful of shapes."""

Function = Callable[..., tuple[Tensor, ...]]


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Graphs:
    """Recorded functions of one device; all share the memory for what lies between."""

    def __init__(self) -> None:
        self._recorded: dict[Hashable, _Recorded] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def call(self, key: Hashable, function: Function, *inputs: Tensor) -> tuple[Tensor, ...]:
        """``function(*inputs)`` by replay.

        Args:
            key: of function, shapes and every address that it uses besides ``inputs``.
            function: launches work on the GPU and nothing else.
            inputs: they are copied.

        Returns:
            What the function returned when it was recorded, valid until the next call.
        """
        recorded = self._recorded.pop(key, None)
        if recorded is None:
            while len(self._recorded) >= MOST:
                del self._recorded[next(iter(self._recorded))]
            recorded = self._record(function, inputs)
        self._recorded[key] = recorded  # the last one used goes last
        for kept, given in zip(recorded.inputs, inputs, strict=True):
            kept.copy_(given)
        recorded.graph.replay()
        return recorded.outputs

    def clear(self) -> None:
        """Forget all graphs, as their addresses are no longer valid."""
        self._recorded.clear()
        self._pool = torch.cuda.graph_pool_handle()

    def _record(self, function: Function, inputs: tuple[Tensor, ...]) -> _Recorded:
        kept = tuple(each.clone() for each in inputs)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # libraries set themselves up outside of the recording
            function(*kept)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            outputs = function(*kept)
        return _Recorded(graph, kept, outputs)
