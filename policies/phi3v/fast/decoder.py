"""Phi-3's layers over a cache whose places are the positions of the tokens.

Letters: B sequences, T tokens, H width, L layers, C places of the cache, N heads, K heads of keys and values, D width of a
head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Phi3ForCausalLM
from transformers.activations import ACT2FN

from policies.phi3v.fast.operations import Operations

SPARE = 256
"""Positions beyond the last that a table serves: padding needs some number there, whatever it is."""


Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Queries, keys and values -> what was attended to."""


@dataclass(frozen=True)
class Cache:
    """Keys and values of a batch."""

    keys: Tensor
    """(L, B, C, K, D)."""
    values: Tensor

    def rows(self, begin: int, end: int) -> Cache:
        """Some of the sequences; the same memory."""
        return Cache(self.keys[:, begin:end], self.values[:, begin:end])


class Decoder:
    """Phi-3 without embedding and head, on the weights of a loaded model."""

    def __init__(self, language: Phi3ForCausalLM, operations: Operations) -> None:
        config = language.config
        self.operations = operations
        self.layers = list(language.model.layers)
        self.last_norm: Tensor = language.model.norm.weight
        self.eps = float(config.rms_norm_eps)
        self.heads = int(config.num_attention_heads)
        self.shared = int(config.num_key_value_heads)
        self.width = int(config.hidden_size) // self.heads
        self.activation = None if config.hidden_act in ("silu", "swish") else ACT2FN[config.hidden_act]
        self._rotary = language.model.rotary_emb
        self._short = int(config.rope_parameters["original_max_position_embeddings"])
        self._tables: dict[bool, Tensor] = {}

    def table(self, reach: int) -> Tensor:
        """(2, positions, D / 2) cosine and sine for a call whose longest sequence has ``reach`` tokens.

        As transformers has it, a call beyond the short context rotates all its tokens by the long factors.
        """
        far = reach > self._short
        table = self._tables.get(far)
        if table is None or (far and table.shape[1] < reach + SPARE):
            positions = torch.arange(reach + SPARE if far else self._short, device=self.last_norm.device)[None]
            both = self._rotary(self.last_norm, positions)
            table = torch.stack([each[0, :, : self.width // 2] for each in both])
            if not far:
                table = torch.cat([table, table[:, -1:].expand(-1, SPARE, -1)], dim=1)
            self._tables[far] = table = table.contiguous()
        return table

    def prefill(self, embeddings: Tensor, lengths: Tensor, table: Tensor, cache: Cache) -> Tensor:
        """Read prompts.

        Args:
            embeddings: (B, T, H), each sequence at the left of its row.
            lengths: (B,) int64 tokens of each.
            table: for the longest of them.
            cache: of these B sequences; places from 0 on are written.

        Returns:
            (B, H) state after the last norm at the last token of each.
        """
        count, tokens = embeddings.shape[:2]
        positions = torch.arange(tokens, device=embeddings.device).expand(count, tokens)
        rows = torch.arange(count, device=embeddings.device)

        def attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
            attended = F.scaled_dot_product_attention(
                query.transpose(1, 2),
                keys[:, :tokens].transpose(1, 2),
                values[:, :tokens].transpose(1, 2),
                is_causal=True,
                enable_gqa=self.heads != self.shared,
            )
            return attended.transpose(1, 2)

        residual, normed = embeddings, self._first_norm(embeddings)
        for number in range(len(self.layers)):
            attended = self._attention(number, normed, positions, table, cache, attend)
            if number == len(self.layers) - 1:  # of the last layer, the last token alone is used
                attended, residual = attended[rows, lengths - 1][:, None], residual[rows, lengths - 1][:, None]
            normed, residual = self._rest(number, attended, residual)
        return normed[:, 0]

    def step(self, embeddings: Tensor, lengths: Tensor, table: Tensor, cache: Cache) -> Tensor:
        """One more token of each sequence.

        Args:
            embeddings: (B, H) of the token.
            lengths: (B,) int64 tokens before it.
            table: for the longest sequence, this token included.
            cache: place ``lengths`` of each row is written.

        Returns:
            (B, H) states after the last norm.
        """
        positions, now = lengths[:, None], lengths + 1

        def attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
            return self.operations.attend_to_cache(query, keys, values, now)

        residual = embeddings[:, None]
        normed = self._first_norm(residual)
        for number in range(len(self.layers)):
            attended = self._attention(number, normed, positions, table, cache, attend)
            normed, residual = self._rest(number, attended, residual)
        return normed[:, 0]

    def _first_norm(self, embeddings: Tensor) -> Tensor:
        return self.operations.norm(embeddings, self.layers[0].input_layernorm.weight, self.eps)

    def _attention(self, number: int, normed: Tensor, positions: Tensor, table: Tensor, cache: Cache, attend: Attend) -> Tensor:
        """(B, T, H) -> (B, T, N D), before the product that follows."""
        keys, values = cache.keys[number], cache.values[number]
        qkv = F.linear(normed, self.layers[number].self_attn.qkv_proj.weight)
        query = self.operations.rotate_and_store(qkv, table, positions, keys, values, self.heads)
        return attend(query, keys, values).flatten(2)

    def _rest(self, number: int, attended: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        """What follows attention in a layer, and the norm before the next one: (normed, residual)."""
        layer, do = self.layers[number], self.operations
        out = F.linear(attended, layer.self_attn.o_proj.weight)
        normed, residual = do.add_norm(out, residual, layer.post_attention_layernorm.weight, self.eps)
        gate_up = F.linear(normed, layer.mlp.gate_up_proj.weight)
        if self.activation is None:
            gated = do.silu_gate(gate_up)
        else:
            gate, up = gate_up.chunk(2, dim=-1)
            gated = up * self.activation(gate)
        down = F.linear(gated, layer.mlp.down_proj.weight)
        following = self.layers[number + 1].input_layernorm.weight if number + 1 < len(self.layers) else self.last_norm
        return do.add_norm(down, residual, following, self.eps)
