"""Fused kernels for a network's blocks, by torch.compile.

A narrow model spends most of its time between the matrix products: norms, activations, changes of number format, each of which
reads and writes all of its numbers. Compiled, a block does what lies between two products at once. Blocks are compiled one by
one, because all that are alike share what was compiled.
"""

from __future__ import annotations

import torch
from torch import Tensor

from policies.phi3v.model import Phi3V


def fuse_blocks(model: Phi3V) -> bool:
    """Compile the blocks of a model that stands on a GPU when they are first called; names of weights stay.

    Returns:
        whether they are: on a CPU it is not worth the wait, and without Triton or a C compiler it cannot be done.
    """
    if model.device.type != "cuda" or not can_compile(model.device):
        return False
    compile_blocks(model)
    return True


def compile_blocks(model: Phi3V) -> None:
    """Compile all blocks; each is called as before."""
    for block in model.blocks:
        block.compile()


def can_compile(device: torch.device) -> bool:
    """Whether a small function can be compiled for the device; it takes some seconds."""
    try:
        torch.compile(_wave)(torch.zeros(2, device=device))
    except RuntimeError:  # what torch._dynamo and torch._inductor raise is one
        return False
    return True


def _wave(numbers: Tensor) -> Tensor:
    return numbers.sin() + 1
