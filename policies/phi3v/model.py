"""The network: CLIP patch features become image tokens, which take their places among the embeddings of the text.

Letters in shapes: B sequences of T tokens; N crops of 336 x 336 pixels, each 24 x 24 patches of 14 pixels; C width of the
vision tower; H width of the language model; V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import Cache, CLIPVisionConfig, CLIPVisionModel, Phi3Config, Phi3ForCausalLM
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

from policies.phi3v.config import CELLS, CROP, Phi3VConfig
from policies.phi3v.device import brought


class Phi3V(nn.Module):  # type: ignore[misc]
    """Phi-3 with CLIP's vision tower in front of it."""

    language: Phi3ForCausalLM
    vision: CLIPVisionModel

    def __init__(self, config: Phi3VConfig) -> None:
        super().__init__()
        self.config = config
        attention = {"attn_implementation": "sdpa"}
        # The features are what enters the last layer, so that layer and the norm after it are never built.
        layers = {"num_hidden_layers": config.vision["num_hidden_layers"] - 1}
        self.vision = CLIPVisionModel(CLIPVisionConfig(**{**config.vision, **layers}, **attention))
        self.vision.post_layernorm = nn.Identity()
        self.row_end = nn.Parameter(torch.zeros(config.merged))  # (4C,) ends every row of image tokens
        self.global_mark = nn.Parameter(torch.zeros(config.merged))  # (4C,) stands between the crops and the global view
        self.projection = nn.Sequential(  # 4C -> H
            nn.Linear(config.merged, config.hidden), nn.GELU(), nn.Linear(config.hidden, config.hidden)
        )
        self.language = Phi3ForCausalLM(Phi3Config(**config.text, **attention))

    def make_tables(self, device: torch.device) -> None:
        """Compute what no checkpoint stores (rotary frequencies in float32, patch numbers), on ``device``."""
        with torch.device(device):
            self.language.model.rotary_emb = Phi3RotaryEmbedding(self.language.config)
            patches = (CROP // int(self.config.vision["patch_size"])) ** 2
            self.vision.embeddings.position_ids = torch.arange(patches + 1)[None]  # (1, 577), the class token included

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.row_end.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights and of the arithmetic."""
        return self.row_end.dtype

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The transformer layers of both towers, in the order in which they are computed."""
        return (*self.vision.encoder.layers, *self.language.model.layers)

    # ---- from pixels to image tokens -----------------------------------------------------------------------------

    def patch_features(self, crops: Tensor) -> Tensor:
        """(N, 3, 336, 336) normalised pixels -> (N, 576, C); the class token is dropped."""
        output = self.vision(pixel_values=crops.to(self.device, self.dtype))
        features: Tensor = output.last_hidden_state[:, 1:]  # (N, 1 + 576, C) -> (N, 576, C)
        return features

    def image_tokens(self, features: Tensor, image_size: tuple[int, int]) -> Tensor:
        """All tokens of images of one size before the projection, (..., n, 4C): the crops row by row, a mark, the global view.

        ``features`` (..., 1 + crops, 576, C), the global view first; ``image_size`` (height, width) of the padded images
        [pixel], multiples of 336.
        """
        high, wide = image_size[0] // CROP, image_size[1] // CROP  # crops a column, crops a row
        lead = features.shape[:-3]
        cells = merge_patches(features[..., : 1 + high * wide, :, :].flatten(0, -3)).unflatten(0, (*lead, 1 + high * wide))
        global_view, crops = cells[..., 0, :, :, :], cells[..., 1:, :, :, :]  # (..., 12, 12, 4C), (..., high*wide, 12, 12, 4C)
        mosaic = (
            crops.unflatten(-4, (high, wide))  # (..., high, wide, 12, 12, 4C)
            .transpose(-4, -3)  # (..., high, 12, wide, 12, 4C)
            .reshape(*lead, high * CELLS, wide * CELLS, -1)  # (..., high*12, wide*12, 4C)
        )
        mark = self.global_mark.expand(*lead, 1, -1)
        return torch.cat([self._with_row_ends(mosaic), mark, self._with_row_ends(global_view)], dim=-2)

    def _with_row_ends(self, cells: Tensor) -> Tensor:
        """(..., rows, columns, 4C) -> (..., rows * (columns + 1), 4C)."""
        row_ends = self.row_end.expand(*cells.shape[:-2], 1, -1)  # (..., rows, 1, 4C)
        return torch.cat([cells, row_ends], dim=-2).flatten(-3, -2)

    def project(self, image_tokens: Tensor) -> Tensor:
        """(n, 4C) image tokens, marks included -> (n, H)."""
        projected: Tensor = self.projection(image_tokens)
        return projected

    # ---- from token ids to logits --------------------------------------------------------------------------------

    def embed(
        self,
        input_ids: Tensor,
        crops: Tensor | None = None,
        crop_rows: Tensor | None = None,
        image_sizes: Sequence[tuple[int, int]] = (),
    ) -> Tensor:
        """Embeddings of text and images, (B, T, H).

        Args:
            input_ids: (B, T), negative where an image token belongs.
            crops: (N, 3, 336, 336) the distinct crops of all images.
            crop_rows: (images, 1 + crops an image) indices of the crops that make up each image. Images fill the places
                in their own order, sequence after sequence.
            image_sizes: (height, width) of each padded image [pixel].

        Returns:
            (B, T, H), a new tensor.
        """
        places = (input_ids < 0).flatten().nonzero()[:, 0]  # (n,), where the ids are: a GPU would have to be waited for
        input_ids = brought(input_ids, self.device)
        embeddings: Tensor = self.language.model.embed_tokens(input_ids.clamp(min=0))  # (B, T, H)
        if crops is not None and crop_rows is not None and len(crop_rows):
            features = self.patch_features(crops)  # (N, 576, C)
            tokens = self.project(self._tokens_of(features, brought(crop_rows, self.device), image_sizes))  # (n, H)
            # Types differ where torch chooses them by itself. Not in place: under LoRA, it may be a leaf with gradients.
            filled = embeddings.flatten(0, 1).index_put((brought(places, self.device),), tokens.to(embeddings.dtype))
            embeddings = filled.view_as(embeddings)
        return embeddings

    def _tokens_of(self, features: Tensor, crop_rows: Tensor, image_sizes: Sequence[tuple[int, int]]) -> Tensor:
        """(n, 4C) tokens of all images; images of one size are worked on together."""
        if len(set(image_sizes)) == 1:
            return self.image_tokens(features[crop_rows], image_sizes[0]).flatten(0, 1)
        each = zip(crop_rows, image_sizes, strict=True)
        return torch.cat([self.image_tokens(features[row], size) for row, size in each])

    def hidden_states(
        self,
        inputs_embeds: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
    ) -> Tensor:
        """States after the last norm.

        Args:
            inputs_embeds: (B, T, H).
            attention_mask: (B, T and what the cache holds) 1 for tokens, 0 for padding.
            position_ids: (B, T). The rotary factors are chosen by the highest position of this call; keys in the cache stay
                as they were rotated.
            past_key_values: the cache, which is extended.

        Returns:
            (B, T, H).
        """
        output = self.language.model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=past_key_values is not None,
        )
        states: Tensor = output.last_hidden_state
        return states

    def logits(self, hidden_states: Tensor) -> Tensor:
        """(..., H) -> (..., V), float32."""
        scores: Tensor = self.language.lm_head(hidden_states)
        return scores.float()


def merge_patches(features: Tensor) -> Tensor:
    """(N, 576, C) -> (N, 12, 12, 4C): four neighbours side by side, upper left, upper right, lower left, lower right."""
    n, _, width = features.shape
    blocks = features.reshape(n, CELLS, 2, CELLS, 2, width)  # (N, 12 rows, 2 within, 12 columns, 2 within, C)
    blocks = blocks.transpose(2, 3)  # (N, 12, 12, 2, 2, C)
    return blocks.reshape(n, CELLS, CELLS, 4 * width)
