"""Products of float32 matrices on a GPU's tensor cores, three bfloat16 products each.

A float32 number is the sum of two bfloat16 numbers up to 2**-17 of it. Of the four products between the parts, the one of
the two small parts is as small as that and left out; the others are one product of matrices three times as deep, added up in
float32. Some fifty times as exact as TF32, and several times as fast as float32. What happens to numbers before they are
multiplied is done in the pass that splits them, since memory is what limits this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ALIGNED = 8
"""Elements that rows are filled up to multiples of, as tensor cores want them."""


@dataclass(frozen=True)
class Before:
    """What is done to a row before it is split, in this order."""

    add: Tensor | None = None
    """(width,), e.g. the bias of the layer before."""
    norm: float | None = None
    """Epsilon of a layer norm without factors."""
    gelu: Literal["none", "tanh"] | None = None
    """By its approximation, as PyTorch names them."""


NOTHING = Before()
Split = Callable[[Tensor, Before], Tensor]
"""(rows, width) float32 -> (rows, 3 x padded width) bfloat16: high, low and high parts, each filled up with zeros."""


class ThreeProductLinear(nn.Module):  # type: ignore[misc]
    """``nn.Linear`` with split numbers."""

    def __init__(self, weight: Tensor, bias: Tensor | None, before: Before = NOTHING, split: Split | None = None) -> None:
        """``weight``: (out, in) float32; ``split``: how rows are split, None: by PyTorch's own functions."""
        super().__init__()
        self._depth = weight.shape[1]
        self._before = before
        self._split = split or split_rows
        high, low, _ = split_rows(weight.detach(), NOTHING).chunk(3, dim=1)
        self.register_buffer("weight", torch.cat([high, high, low], dim=1).t(), persistent=False)
        self.register_buffer("bias", None if bias is None else bias.detach(), persistent=False)

    def after(self, before: Before) -> ThreeProductLinear:
        """The same, with something done before; returns itself."""
        self._before = before
        return self

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) float32 to (..., out) float32."""
        out = product(self._split(x.reshape(-1, self._depth), self._before), self.weight)
        if self.bias is not None:
            out += self.bias
        return out.view(*x.shape[:-1], -1)


def split_rows(x: Tensor, before: Before) -> Tensor:
    """As of ``Split``, step by step."""
    if before.add is not None:
        x = x + before.add
    if before.norm is not None:
        x = F.layer_norm(x, x.shape[-1:], eps=before.norm)
    if before.gelu is not None:
        x = F.gelu(x, approximate=before.gelu)
    x = F.pad(x, (0, -x.shape[1] % ALIGNED))
    high = x.to(torch.bfloat16)
    return torch.cat([high, (x - high).to(torch.bfloat16), high], dim=1)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Of two bfloat16 matrices, in float32."""
    if a.is_cuda:
        made: Tensor = torch.mm(a, b, out_dtype=torch.float32)
        return made
    return a.float() @ b.float()


def why_not(device: torch.device) -> str | None:
    """Why a device cannot do this, or None if it can."""
    if device.type != "cuda":
        return "only on a GPU"
    if torch.cuda.get_device_capability(device) < (8, 0):
        return "the GPU has no tensor cores for bfloat16"
    try:
        a = torch.ones((16, 16), dtype=torch.bfloat16, device=device)
        return None if float(product(a, a).sum()) == 16.0**3 else "wrong result"
    except (RuntimeError, TypeError) as error:  # an older PyTorch
        return str(error).splitlines()[0]
