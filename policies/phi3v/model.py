"""The network: CLIP patches become image tokens, which take their places among the words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel, Phi3Config, Phi3ForCausalLM
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

from policies.phi3v.config import CELLS, CROP, Phi3VConfig


class Phi3V(nn.Module):  # type: ignore[misc]
    """Phi-3 with eyes. Shapes: B sequences, T tokens, C vision width, H language width."""

    language: Phi3ForCausalLM
    vision: CLIPVisionModel

    def __init__(self, config: Phi3VConfig) -> None:
        super().__init__()
        self.config = config
        attention = {"attn_implementation": "sdpa"}
        self.language = Phi3ForCausalLM(Phi3Config(**config.text, **attention))
        # The features are what enters the last layer, so that layer and the norm after it are never built.
        layers = {"num_hidden_layers": config.vision["num_hidden_layers"] - 1}
        self.vision = CLIPVisionModel(CLIPVisionConfig(**{**config.vision, **layers}, **attention))
        self.vision.post_layernorm = nn.Identity()
        self.projection = nn.Sequential(
            nn.Linear(config.merged, config.hidden), nn.GELU(), nn.Linear(config.hidden, config.hidden)
        )
        self.row_end = nn.Parameter(torch.zeros(config.merged))
        self.global_mark = nn.Parameter(torch.zeros(config.merged))

    def make_tables(self, device: torch.device) -> None:
        """Compute what no checkpoint stores (rotary frequencies in float32, patch numbers), on ``device``."""
        with torch.device(device):
            self.language.model.rotary_emb = Phi3RotaryEmbedding(self.language.config)
            patches = (CROP // int(self.config.vision["patch_size"])) ** 2
            self.vision.embeddings.position_ids = torch.arange(patches + 1)[None]

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.row_end.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights and of the arithmetic."""
        return self.row_end.dtype

    # ---- pictures ------------------------------------------------------------------------------------------------

    def features(self, crops: Tensor) -> Tensor:
        """(N, 3, 336, 336) normalised pixels -> (N, 576, C) patch features; the class token is dropped."""
        seen = self.vision(pixel_values=crops.to(self.device, self.dtype))
        patches: Tensor = seen.last_hidden_state[:, 1:]
        return patches

    def image_tokens(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """All tokens of one picture before the projection: (n, 4C).

        ``features`` (1 + crops, 576, C), the global picture first; ``size`` (height, width) [pixel] of the padded
        picture, multiples of 336. Rows of the mosaic of crops, a mark, rows of the global picture; every row ends with
        a mark of its own.
        """
        high, wide = size[0] // CROP, size[1] // CROP
        cells = _merge_patches(features[: 1 + high * wide])  # (1 + high*wide, 12, 12, 4C)
        mosaic = cells[1:].unflatten(0, (high, wide)).transpose(1, 2).reshape(high * CELLS, wide * CELLS, -1)
        return torch.cat([self._rows(mosaic), self.global_mark[None], self._rows(cells[0])])

    def _rows(self, cells: Tensor) -> Tensor:
        end = self.row_end.expand(cells.shape[0], 1, -1)
        return torch.cat([cells, end], dim=1).flatten(0, 1)

    def project(self, tokens: Tensor) -> Tensor:
        """(n, 4C) image tokens, marks included -> (n, H)."""
        projected: Tensor = self.projection(tokens)
        return projected

    def embed(self, ids: Tensor, crops: Tensor | None, rows: Tensor | None, sizes: Sequence[tuple[int, int]]) -> Tensor:
        """(B, T) token ids, negative where picture tokens belong -> (B, T, H).

        ``crops`` (N, 3, 336, 336) are the distinct crops, ``rows`` (pictures, 1 + crops a picture) which of them make up
        a picture. Pictures fill the places in their own order, sequence after sequence.
        """
        ids = ids.to(self.device)
        vectors: Tensor = self.language.model.embed_tokens(ids.clamp(min=0))  # a new tensor: the caller's ids stay
        if crops is not None and rows is not None and len(rows):
            features = self.features(crops)
            each = (self.image_tokens(features[row], size) for row, size in zip(rows.to(self.device), sizes, strict=True))
            vectors[ids < 0] = self.project(torch.cat(list(each)))
        return vectors

    # ---- words ---------------------------------------------------------------------------------------------------

    def hidden(self, vectors: Tensor, mask: Tensor | None = None, positions: Tensor | None = None, cache: Any = None) -> Tensor:
        """(B, T, H) embeddings -> (B, T, H) after the last norm.

        ``mask`` (B, T with what the cache holds) 1 for tokens, 0 for padding; ``positions`` (B, T). The rotary factors are
        chosen by the highest position of this call; keys in the ``cache`` stay as they were rotated.
        """
        out = self.language.model(
            inputs_embeds=vectors,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        last: Tensor = out.last_hidden_state
        return last

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., H) -> (..., vocabulary), float32."""
        scores: Tensor = self.language.lm_head(hidden)
        return scores.float()


def _merge_patches(features: Tensor) -> Tensor:
    """(N, 576, C) -> (N, 12, 12, 4C): four neighbours side by side, upper left, upper right, lower left, lower right."""
    n, _, width = features.shape
    blocks = features.reshape(n, CELLS, 2, CELLS, 2, width).transpose(2, 3)
    return blocks.reshape(n, CELLS, CELLS, 4 * width)
