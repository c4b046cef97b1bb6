"""CLIP's vision tower and the projection into the language model, every distinct crop once."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.activations import ACT2FN

from policies.phi3v.config import CELLS, CROP
from policies.phi3v.fast.operations import Operations
from policies.phi3v.model import Phi3V, merge_patches

CELLS_A_CROP = CELLS * CELLS
Ints = NDArray[np.int64]


class Tower:
    """From crops to cells in the width of the language model."""

    def __init__(self, model: Phi3V, operations: Operations) -> None:
        self.model = model
        self.operations = operations
        self.layers = list(model.vision.encoder.layers)
        self.heads = int(model.config.vision["num_attention_heads"])
        act = model.config.vision["hidden_act"]
        self.activation = operations.quick_gelu if act == "quick_gelu" else ACT2FN[act]
        self.joined = [_join(layer.self_attn) for layer in self.layers]

    def cells(self, crops: Tensor) -> Tensor:
        """(N, 3, 336, 336) normalised pixels -> (N * 144, H) projected cells, row by row."""
        features = self._features(crops.to(self.model.dtype))  # (N, 576, C)
        return self.model.project(merge_patches(features).flatten(0, 2))

    def marks(self) -> Tensor:
        """(2, H): what ends a row of cells, and what stands between the crops and the global view."""
        return self.model.project(torch.stack([self.model.row_end, self.model.global_mark]))

    def _features(self, crops: Tensor) -> Tensor:
        """(N, 3, 336, 336) -> (N, 576, C), the class token dropped."""
        vision = self.model.vision
        x = vision.pre_layrnorm(vision.embeddings(crops))  # (N, 577, C)
        for layer, (weight, bias) in zip(self.layers, self.joined, strict=True):
            qkv = F.linear(layer.layer_norm1(x), weight, bias).unflatten(-1, (3, self.heads, -1))
            query, key, value = (part.transpose(1, 2) for part in qkv.unbind(2))  # (N, heads, 577, D)
            attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
            x = x + layer.self_attn.out_proj(attended)
            x = x + layer.mlp.fc2(self.activation(layer.mlp.fc1(layer.layer_norm2(x))))
        features: Tensor = x[:, 1:]
        return features


def _join(attention: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of queries, keys and values in one; the module's own become views of them."""
    parts = [attention.q_proj, attention.k_proj, attention.v_proj]
    weight = torch.cat([part.weight for part in parts])
    bias = torch.cat([part.bias for part in parts])
    for part, own_weight, own_bias in zip(parts, weight.chunk(3), bias.chunk(3), strict=True):
        part.weight = nn.Parameter(own_weight, requires_grad=False)
        part.bias = nn.Parameter(own_bias, requires_grad=False)
    return weight, bias


def image_layout(crop_row: Ints, size: tuple[int, int], crops: int) -> Ints:
    """Where the tokens of one image are found among the cells of ``crops`` crops and the two marks behind them.

    Args:
        crop_row: (1 + crops of the image, ...) indices of its crops, the global view first.
        size: (height, width) of the padded image [pixel].
        crops: how many there are in all.

    Returns:
        (n,) indices in the order of :meth:`policies.phi3v.model.Phi3V.image_tokens`.
    """
    high, wide = size[0] // CROP, size[1] // CROP
    cells = crop_row[: 1 + high * wide, None, None] * CELLS_A_CROP + np.arange(CELLS_A_CROP).reshape(1, CELLS, CELLS)
    mosaic = cells[1:].reshape(high, wide, CELLS, CELLS).swapaxes(1, 2).reshape(high * CELLS, wide * CELLS)
    row_end, global_mark = crops * CELLS_A_CROP, crops * CELLS_A_CROP + 1
    parts = (_with_row_ends(mosaic, row_end), np.array([global_mark]), _with_row_ends(cells[0], row_end))
    return np.concatenate(parts).astype(np.int64)


def _with_row_ends(cells: Ints, row_end: int) -> Ints:
    return np.pad(cells, ((0, 0), (0, 1)), constant_values=row_end).ravel()
