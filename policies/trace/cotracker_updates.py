"""CoTracker3's way from features to tracks: six rounds of correlation and transformer, for many clips at once.

The two learned parts are the package's modules; what lies between is done here. Features are looked up in windows whose 49
places all lie at the same fraction of a cell, so 8 x 8 neighbours are compared first and blended then: a fraction of the work
of sampling each place, and the same number but for rounding. Beyond the border the nearest feature counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policies.trace.cotracker_features import CHANNELS, STRIDE
from policies.trace.three_products import NOTHING, Before, Split, ThreeProductLinear

ROUNDS = 6
RADIUS = 3
"""Cells around a point, on each level."""
DEGREES = 10
"""Frequencies of a step's encoding, each twice the one before."""


class Updates(nn.Module):  # type: ignore[misc]
    """The network without its encoder."""

    def __init__(self, network: nn.Module) -> None:
        """``network``: the package's offline model, loaded."""
        super().__init__()
        self._compare = network.corr_mlp
        self.former = network.updateformer
        high, wide = network.model_resolution
        self.register_buffer("_time", network.time_emb.detach().clone(), persistent=False)
        self.register_buffer("_scale", torch.tensor([wide, high]) / STRIDE, persistent=False)
        self.register_buffer("_window", torch.arange(-RADIUS, RADIUS + 2), persistent=False)
        self.register_buffer("_degrees", 2.0 ** torch.arange(DEGREES), persistent=False)

    def forward(self, levels: Sequence[Tensor], places: Tensor, queries: Tensor) -> Tensor:
        """Follow points.

        Args:
            levels: (places, height, width, 128) features each.
            places: (B, T) int64, where the images of the clips lie in ``levels``.
            queries: (B, N, 3) image in the clip, x and y in pixels of the encoder's picture.

        Returns:
            (B, N, T, 2) x and y in pixels of the encoder's picture.
        """
        (b, t), n = places.shape, queries.shape[1]
        start = queries[..., 1:] / STRIDE
        own = places.gather(1, queries[..., 0].long())
        wanted = []
        for i, level in enumerate(levels):
            near, part = self._near(level, own, start / 2**i)
            wanted.append(_blend(near, part).reshape(b * n, -1, CHANNELS).transpose(1, 2))
        time = F.interpolate(self._time.transpose(1, 2), size=t, mode="linear").transpose(1, 2)
        everywhere = places[:, None].expand(b, n, t)
        where = start[:, :, None].repeat(1, 1, t, 1)
        seen = where.new_zeros((b, n, t, 2))  # visibility and confidence
        for _ in range(ROUNDS):
            compared = []
            for i, level in enumerate(levels):
                near, part = self._near(level, everywhere, where / 2**i)
                products = torch.bmm(near.view(b * n, -1, CHANNELS), wanted[i]).view(*near.shape[:-1], -1)
                compared.append(self._compare(_blend(products, part).flatten(3)))
            tokens = torch.cat([seen, *compared, self._steps(where)], dim=-1) + time
            change = self.former(tokens)
            where = where + change[..., :2]
            seen = seen + change[..., 2:]
        return where * STRIDE

    def _near(self, level: Tensor, places: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
        """(..., 8, 8, 128) features around positions, x before y, and (..., 2) fractions of a cell.

        ``places``: (...); ``where``: (..., 2) in cells of this level.
        """
        high, wide = level.shape[1:3]
        corner = where.floor()
        part = where - corner
        cells = corner.nan_to_num(0.0)[..., None] + self._window  # a GPU must never look up at NaN
        x, y = cells[..., 0, :].clamp(0, wide - 1).long(), cells[..., 1, :].clamp(0, high - 1).long()
        rows = (places[..., None, None] * high + y[..., None, :]) * wide + x[..., :, None]
        return F.embedding(rows, level.view(-1, CHANNELS)), part

    def _steps(self, where: Tensor) -> Tensor:
        """(B, N, T, 84): the way to the image after and from the one before, in parts of the picture, with frequencies."""
        way = (where[:, :, 1:] - where[:, :, :-1]) / self._scale
        both = torch.cat([F.pad(-way, (0, 0, 0, 1)), F.pad(way, (0, 0, 1, 0))], dim=-1)
        waves = (both[..., None, :] * self._degrees[:, None]).flatten(-2)
        return torch.cat([both, torch.sin(torch.cat([waves, waves + 0.5 * torch.pi], dim=-1))], dim=-1)


def _blend(near: Tensor, part: Tensor) -> Tensor:
    """(..., 7, 7, K) of (..., 8, 8, K): between neighbours, first along x, then along y."""
    x, y = part[..., 0, None, None, None], part[..., 1, None, None, None]
    near = torch.lerp(near[..., :-1, :, :], near[..., 1:, :, :], x)
    return torch.lerp(near[..., :-1, :], near[..., 1:, :], y)


def attend_fused(network: nn.Module) -> None:
    """Let the package's attention be PyTorch's own, which keeps no table of weights in memory."""
    for module in network.modules():
        if _is_attention(module):
            module.forward = _Attention(module)


def multiply_split(updates: Updates, split: Split) -> None:
    """Let the large products of the network be :class:`ThreeProductLinear`, and do what comes before them on the way."""

    def linear(layer: nn.Linear, before: Before = NOTHING) -> ThreeProductLinear:
        return ThreeProductLinear(layer.weight, layer.bias, before, split)

    for module in list(updates.modules()):
        if _is_attention(module):
            module.to_out = linear(module.to_out)
        names = dict(module.named_children())
        if {"fc1", "fc2"} <= names.keys():
            module.fc2 = linear(module.fc2, Before(add=module.fc1.bias.detach(), gelu=module.act.approximate))
            module.act = nn.Identity()
            module.fc1 = ThreeProductLinear(module.fc1.weight, None, split=split)
    for module in list(updates.modules()):  # blocks, now that what they are made of is replaced
        names = dict(module.named_children())
        if {"norm1", "norm2", "mlp"} <= names.keys():
            first, second = Before(norm=module.norm1.eps), Before(norm=module.norm2.eps)
            module.norm1, module.norm2 = nn.Identity(), nn.Identity()
            module.mlp.fc1 = module.mlp.fc1.after(second)
            if "attn" in names:
                module.attn.to_qkv = ThreeProductLinear(
                    torch.cat([module.attn.to_q.weight, module.attn.to_kv.weight]),
                    torch.cat([module.attn.to_q.bias, module.attn.to_kv.bias]),
                    first, split,
                )  # fmt: skip
            else:
                module.cross_attn.to_q = linear(module.cross_attn.to_q, first)
                module.cross_attn.to_kv = linear(module.cross_attn.to_kv)
    former = updates.former
    former.input_transform = linear(former.input_transform)


def _is_attention(module: nn.Module) -> bool:
    return {"to_q", "to_kv", "to_out"} <= dict(module.named_children()).keys()


class _Attention:
    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __call__(self, x: Tensor, context: Tensor | None = None, attn_bias: Tensor | None = None) -> Tensor:
        own = self._module
        if context is None and hasattr(own, "to_qkv"):
            all_three = own.to_qkv(x).unflatten(-1, (3, own.heads, -1))
            q, k, v = (part.transpose(1, 2) for part in all_three.unbind(2))
        else:
            q = own.to_q(x).unflatten(-1, (own.heads, -1)).transpose(1, 2)
            both = own.to_kv(x if context is None else context).unflatten(-1, (2, own.heads, -1))
            k, v = (part.transpose(1, 2) for part in both.unbind(2))
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_bias, scale=own.scale)
        return own.to_out(seen.transpose(1, 2).flatten(-2))
