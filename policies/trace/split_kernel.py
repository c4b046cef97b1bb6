"""The pass over memory before a product of :mod:`policies.trace.three_products` as a Triton kernel."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from policies.trace.three_products import ALIGNED, Before, split_rows

jit: Any = triton.jit


@jit
def _split(
    x, add, out, width, padded, eps,
    ADD: tl.constexpr, NORM: tl.constexpr, GELU: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    value = tl.load(x + row * width + column, mask=inside, other=0.0)
    if ADD:
        value += tl.load(add + column, mask=inside, other=0.0)
    if NORM:
        apart = tl.where(inside, value - tl.sum(value, axis=0) / width, 0.0)
        value = apart * tl.rsqrt(tl.sum(apart * apart, axis=0) / width + eps)
    if GELU == 1:
        inner = 0.7978845608028654 * (value + 0.044715 * value * value * value)
        value = value * (1 - 1 / (tl.exp(2 * inner) + 1))
    if GELU == 2:
        value = 0.5 * value * (1 + tl.erf(value * 0.7071067811865476))
    high = value.to(tl.bfloat16)
    low = (value - high.to(tl.float32)).to(tl.bfloat16)
    filled = column < padded
    target = out + row * (3 * padded) + column
    tl.store(target, high, mask=filled)
    tl.store(target + padded, low, mask=filled)
    tl.store(target + 2 * padded, high, mask=filled)


def split_by_kernel(x: Tensor, before: Before) -> Tensor:
    """As of ``Split``."""
    x = x.contiguous()
    rows, width = x.shape
    padded = width + -width % ALIGNED
    out = torch.empty((rows, 3 * padded), dtype=torch.bfloat16, device=x.device)
    block = triton.next_power_of_2(padded)
    _split[(rows,)](
        x, x if before.add is None else before.add, out, width, padded, before.norm or 0.0,
        before.add is not None, before.norm is not None, {None: 0, "tanh": 1, "none": 2}[before.gelu], block,
        num_warps=4 if block <= 1024 else 8,
    )  # fmt: skip
    return out


def why_not(device: torch.device) -> str | None:
    """Why the kernel cannot be used, or None if it gives what PyTorch gives."""
    x = torch.linspace(-3, 3, 5 * 12, device=device).view(5, 12)
    try:
        for before in (Before(), Before(x[0], 1e-6), Before(gelu="tanh"), Before(gelu="none")):
            apart = split_by_kernel(x, before).float() - split_rows(x, before).float()
            if float((apart[:, :16] + apart[:, 16:32]).abs().max()) > 1e-4:
                return f"wrong result with {before}"
    except Exception as error:  # whatever a compiler that is not there raises
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return None
