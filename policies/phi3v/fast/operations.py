"""What stands between the matrix products, in PyTorch alone.

Values are rounded to the type of the weights where transformers' layers round them. Letters: B sequences, T tokens, C places of
the cache, N heads, K heads of keys and values, D width of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class Operations:
    """The reference; :class:`policies.phi3v.fast.kernels.Kernels` does the same in fewer passes over memory."""

    name = "torch"

    def norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """Root mean square norm over the last dimension, in float32."""
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
        return weight * wide.to(x.dtype)

    def add_norm(self, x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        """(norm of the sum, sum)."""
        total = residual + x
        return self.norm(total, weight, eps), total

    def silu_gate(self, gate_up: Tensor) -> Tensor:
        """(..., 2 I) -> (..., I): the second half times SiLU of the first."""
        gate, up = gate_up.chunk(2, dim=-1)
        return up * F.silu(gate)

    def quick_gelu(self, x: Tensor) -> Tensor:
        """x times sigmoid(1.702 x)."""
        return x * torch.sigmoid(1.702 * x)

    def rotate_and_store(
        self, qkv: Tensor, table: Tensor, positions: Tensor, keys: Tensor, values: Tensor, heads: int
    ) -> Tensor:
        """Rotate queries and keys by their positions; keys and values go to these places of the cache.

        Args:
            qkv: (B, T, (N + 2 K) D) queries, keys and values; may be overwritten.
            table: (2, positions, D / 2) cosine and sine.
            positions: (B, T) int64.
            keys: (B, C, K, D), written.
            values: the same.
            heads: N.

        Returns:
            (B, T, N, D) rotated queries.
        """
        shared, width = keys.shape[-2:]
        query, key, value = (part.unflatten(-1, (-1, width)) for part in
                             qkv.split([heads * width, shared * width, shared * width], dim=-1))  # fmt: skip
        cosine, sine = (each[positions][:, :, None] for each in table)  # (B, T, 1, D / 2)
        cosine, sine = torch.cat([cosine, cosine], -1), torch.cat([sine, sine], -1)
        rows = torch.arange(len(qkv), device=qkv.device)[:, None]
        keys[rows, positions] = key * cosine + _half_turned(key) * sine
        values[rows, positions] = value
        rotated: Tensor = query * cosine + _half_turned(query) * sine
        return rotated

    def attend_to_cache(self, query: Tensor, keys: Tensor, values: Tensor, lengths: Tensor) -> Tensor:
        """One token a sequence attends to the first ``lengths`` places of the cache.

        Args:
            query: (B, 1, N, D).
            keys: (B, C, K, D).
            values: the same.
            lengths: (B,) int64, at least 1.

        Returns:
            (B, 1, N, D).
        """
        seen = torch.arange(keys.shape[1], device=keys.device) < lengths[:, None]  # (B, C)
        attended = F.scaled_dot_product_attention(
            query.transpose(1, 2),
            keys.transpose(1, 2),
            values.transpose(1, 2),
            attn_mask=seen[:, None, None],
            enable_gqa=query.shape[2] != keys.shape[2],
        )
        return attended.transpose(1, 2)


def _half_turned(x: Tensor) -> Tensor:
    one, other = x.chunk(2, dim=-1)
    return torch.cat([-other, one], dim=-1)
