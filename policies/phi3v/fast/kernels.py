"""The operations between the matrix products as Triton kernels: one pass over memory each.

Every row (token, head) is worked on by itself and in an order that does not depend on the batch.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from policies.phi3v.fast.operations import Operations

jit: Any = triton.jit


@jit
def _norm(x, residual, weight, out, total, width, eps, ADD: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * width
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    value = tl.load(x + row + columns, mask=inside, other=0.0)
    if ADD:
        value = (value.to(tl.float32) + tl.load(residual + row + columns, mask=inside, other=0.0).to(tl.float32)).to(
            value.dtype
        )
        tl.store(total + row + columns, value, mask=inside)
    wide = value.to(tl.float32)
    scale = tl.rsqrt(tl.sum(wide * wide, axis=0) / width + eps)
    normed = (wide * scale).to(value.dtype).to(tl.float32)
    factor = tl.load(weight + columns, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row + columns, (normed * factor).to(value.dtype), mask=inside)


@jit
def _silu_gate(gate_up, out, width, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = columns < width
    gate = tl.load(gate_up + row * 2 * width + columns, mask=inside, other=0.0)
    up = tl.load(gate_up + row * 2 * width + width + columns, mask=inside, other=0.0)
    wide = gate.to(tl.float32)
    gate = (wide / (1 + tl.exp(-wide))).to(up.dtype)
    tl.store(out + row * width + columns, (up.to(tl.float32) * gate.to(tl.float32)).to(up.dtype), mask=inside)


@jit
def _quick_gelu(x, out, count, BLOCK: tl.constexpr):
    places = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = places < count
    value = tl.load(x + places, mask=inside, other=0.0)
    wide = value.to(tl.float32)
    inner = (wide * 1.702).to(value.dtype).to(tl.float32)
    share = (1 / (1 + tl.exp(-inner))).to(value.dtype).to(tl.float32)
    tl.store(out + places, (wide * share).to(value.dtype), mask=inside)


@jit
def _rotate_and_store(
    qkv, table, positions, keys, values, rotated,
    tokens, steps, key_rows, value_rows,
    HEADS: tl.constexpr, SHARED: tl.constexpr, HALF: tl.constexpr, BLOCK: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    head = (tl.program_id(1) * GROUP + tl.arange(0, GROUP))[:, None]
    half = tl.arange(0, BLOCK)[None, :]
    position = tl.load(positions + token)
    inside = (half < HALF) & (head < HEADS + 2 * SHARED)
    source = qkv + token * ((HEADS + 2 * SHARED) * 2 * HALF) + head * 2 * HALF + half
    one, other = tl.load(source, mask=inside, other=0.0), tl.load(source + HALF, mask=inside, other=0.0)
    kind = one.dtype
    cosine = tl.load(table + position * HALF + half, mask=half < HALF, other=0.0).to(tl.float32)
    sine = tl.load(table + (steps + position) * HALF + half, mask=half < HALF, other=0.0).to(tl.float32)
    a, b = one.to(tl.float32), other.to(tl.float32)
    first = ((a * cosine).to(kind).to(tl.float32) - (b * sine).to(kind).to(tl.float32)).to(kind)
    second = ((b * cosine).to(kind).to(tl.float32) + (a * sine).to(kind).to(tl.float32)).to(kind)
    asks = inside & (head < HEADS)
    target = rotated + (token * HEADS + head) * 2 * HALF + half
    tl.store(target, first, mask=asks)
    tl.store(target + HALF, second, mask=asks)
    sequence = token // tokens
    offers = inside & (head >= HEADS) & (head < HEADS + SHARED)
    target = keys + sequence * key_rows + (position * SHARED + head - HEADS) * 2 * HALF + half
    tl.store(target, first, mask=offers)
    tl.store(target + HALF, second, mask=offers)
    holds = inside & (head >= HEADS + SHARED)
    target = values + sequence * value_rows + (position * SHARED + head - HEADS - SHARED) * 2 * HALF + half
    tl.store(target, one, mask=holds)
    tl.store(target + HALF, other, mask=holds)


@jit
def _attend(
    query, keys, values, lengths, out, scale, key_rows, value_rows,
    HEADS: tl.constexpr, SHARED: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, PLACES: tl.constexpr,
):  # fmt: skip
    sequence, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    column = tl.arange(0, BLOCK)
    inside = column < WIDTH
    length = tl.load(lengths + sequence)
    row = (sequence * HEADS + head) * WIDTH
    asked = tl.load(query + row + column, mask=inside, other=0.0).to(tl.float32) * scale
    shared = head // (HEADS // SHARED)
    first_key = keys + sequence * key_rows + shared * WIDTH
    first_value = values + sequence * value_rows + shared * WIDTH
    most = tl.full((), -float("inf"), tl.float32)
    weight = tl.zeros((), tl.float32)
    total = tl.zeros((BLOCK,), tl.float32)
    for begin in range(0, length, PLACES):
        place = begin + tl.arange(0, PLACES)
        there = place < length
        mask = there[:, None] & inside[None, :]
        offset = place.to(tl.int64)[:, None] * (SHARED * WIDTH) + column[None, :]
        key = tl.load(first_key + offset, mask=mask, other=0.0).to(tl.float32)
        value = tl.load(first_value + offset, mask=mask, other=0.0).to(tl.float32)
        score = tl.where(there, tl.sum(key * asked[None, :], axis=1), -float("inf"))
        highest = tl.maximum(most, tl.max(score, axis=0))
        shrunk = tl.exp(most - highest)
        part = tl.exp(score - highest)
        weight = weight * shrunk + tl.sum(part, axis=0)
        total = total * shrunk + tl.sum(part[:, None] * value, axis=0)
        most = highest
    tl.store(out + row + column, (total / weight).to(out.dtype.element_ty), mask=inside)


class Kernels(Operations):
    """The operations on a GPU. Tensors must be contiguous but for the cache, whose rows may be apart."""

    name = "triton"

    def norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """As of :class:`Operations`."""
        x = x.contiguous()
        out = torch.empty_like(x)
        width = x.shape[-1]
        block = triton.next_power_of_2(width)
        _norm[(x.numel() // width,)](x, x, weight, out, x, width, eps, False, block, num_warps=_warps(block))
        return out

    def add_norm(self, x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        """As of :class:`Operations`."""
        x, residual = x.contiguous(), residual.contiguous()
        out, total = torch.empty_like(x), torch.empty_like(x)
        width = x.shape[-1]
        block = triton.next_power_of_2(width)
        _norm[(x.numel() // width,)](x, residual, weight, out, total, width, eps, True, block, num_warps=_warps(block))
        return out, total

    def silu_gate(self, gate_up: Tensor) -> Tensor:
        """As of :class:`Operations`."""
        gate_up = gate_up.contiguous()
        width = gate_up.shape[-1] // 2
        out = gate_up.new_empty(*gate_up.shape[:-1], width)
        block = min(2048, triton.next_power_of_2(width))
        _silu_gate[(out.numel() // width, triton.cdiv(width, block))](gate_up, out, width, block, num_warps=8)
        return out

    def quick_gelu(self, x: Tensor) -> Tensor:
        """As of :class:`Operations`."""
        x = x.contiguous()
        out = torch.empty_like(x)
        _quick_gelu[(triton.cdiv(x.numel(), 2048),)](x, out, x.numel(), 2048, num_warps=8)
        return out

    def rotate_and_store(
        self, qkv: Tensor, table: Tensor, positions: Tensor, keys: Tensor, values: Tensor, heads: int
    ) -> Tensor:
        """As of :class:`Operations`."""
        qkv, positions = qkv.contiguous(), positions.contiguous()
        count, tokens = qkv.shape[:2]
        shared, width = keys.shape[-2:]
        rotated = qkv.new_empty(count, tokens, heads, width)
        half = width // 2
        _rotate_and_store[(count * tokens, triton.cdiv(heads + 2 * shared, 16))](
            qkv, table, positions, keys, values, rotated,
            tokens, table.shape[1], keys.stride(0), values.stride(0),
            heads, shared, half, triton.next_power_of_2(half), 16, num_warps=4,
        )  # fmt: skip
        return rotated

    def attend_to_cache(self, query: Tensor, keys: Tensor, values: Tensor, lengths: Tensor) -> Tensor:
        """As of :class:`Operations`."""
        query = query.contiguous()
        out = torch.empty_like(query)
        count, _, heads, width = query.shape
        _attend[(count, heads)](
            query, keys, values, lengths, out, width**-0.5, keys.stride(0), values.stride(0),
            heads, keys.shape[-2], width, triton.next_power_of_2(width), 64, num_warps=4,
        )  # fmt: skip
        return out


def _warps(block: int) -> int:
    return max(1, min(8, block // 512))


def check_kernels(device: torch.device, dtype: torch.dtype) -> None:
    """Raise ArithmeticError where a kernel's numbers are not those of the reference; other errors where it does not run."""
    plain, fused = Operations(), Kernels()
    generator = torch.Generator().manual_seed(0)

    def sample(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device, dtype)

    x, residual, weight = sample(3, 5, 96), sample(3, 5, 96), sample(96)
    table = torch.randn(2, 32, 12, generator=generator).to(device, dtype)
    positions = torch.arange(5, device=device).expand(3, 5) + torch.tensor([[0], [3], [7]], device=device)
    cache, other_cache = (torch.zeros(2, 3, 20, 2, 24, device=device, dtype=dtype) for _ in range(2))
    qkv, query, filled = sample(3, 5, (4 + 2 * 2) * 24), sample(3, 1, 4, 24), sample(2, 3, 20, 2, 24)
    lengths = torch.tensor([1, 20, 9], device=device)
    rotated = plain.rotate_and_store(qkv.clone(), table, positions, cache[0], cache[1], 4)
    other_rotated = fused.rotate_and_store(qkv.clone(), table, positions, other_cache[0], other_cache[1], 4)
    pairs = [
        (plain.norm(x, weight, 1e-5), fused.norm(x, weight, 1e-5)),
        *zip(plain.add_norm(x, residual, weight, 1e-5), fused.add_norm(x, residual, weight, 1e-5), strict=True),
        (plain.silu_gate(x), fused.silu_gate(x)),
        (plain.quick_gelu(x), fused.quick_gelu(x)),
        (rotated, other_rotated),
        (cache, other_cache),
        (
            plain.attend_to_cache(query, filled[0], filled[1], lengths),
            fused.attend_to_cache(query, filled[0], filled[1], lengths),
        ),
    ]
    near = 1e-5 if dtype == torch.float32 else 3e-2
    for number, (expected, got) in enumerate(pairs):
        if not torch.allclose(expected.float(), got.float(), rtol=near, atol=near):
            worst = float((expected.float() - got.float()).abs().max())
            raise ArithmeticError(f"kernel {number} is off by {worst:.3g}")
