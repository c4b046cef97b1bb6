"""Prompts and images of several episodes as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eval.errors import UserError
from policies.phi3v.camera_transforms import ImageArray
from policies.phi3v.image_processor import USUAL, ImageBatch, ImageSettings, prepare
from policies.phi3v.tokenizer import PAD, PromptTokenizer, chat

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Prompt:
    """A text and the images that its tags name."""

    text: str
    """The user's turn, with ``<|image_1|>``, ... in it; the marks of the conversation are put around it."""
    images: Sequence[ImageArray]


@dataclass(frozen=True)
class Inputs:
    """A batch, padded on the left. B sequences, T tokens."""

    input_ids: Tensor
    """(B, T) int64; negative: place of an image token."""
    attention_mask: Tensor
    """(B, T) int64; 1 for tokens, 0 for padding."""
    images: ImageBatch | None

    @property
    def position_ids(self) -> Tensor:
        """(B, T) places of the tokens in their own sequence; 1 where there is padding, as the release has it."""
        return (self.attention_mask.cumsum(-1) - 1).masked_fill(self.attention_mask == 0, 1)


def pad_left(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """(input_ids, attention_mask), both (B, T), of sequences of different lengths."""
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), longest), PAD)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, longest - len(sequence) :] = torch.tensor(sequence)
        mask[row, longest - len(sequence) :] = 1
    return ids, mask


@dataclass(frozen=True)
class Sequences:
    """A batch without padding."""

    ids: Sequence[Ints]
    """Token ids of each prompt; negative: place of an image token."""
    images: ImageBatch | None


def make_sequences(
    tokenizer: PromptTokenizer, prompts: Sequence[Prompt], settings: ImageSettings = USUAL, limit: int | None = None
) -> Sequences:
    """Several prompts and their images.

    Args:
        tokenizer: the checkpoint's.
        prompts: texts with their images.
        settings: how images are prepared.
        limit: tokens that a sequence may have.

    Returns:
        Ids and images, in the order of the prompts.

    Raises:
        UserError: a sequence is longer than ``limit``.
    """
    flat = [image for prompt in prompts for image in prompt.images]
    images = prepare(flat, settings) if flat else None
    counts = list(images.tokens) if images else []
    sequences = []
    for prompt in prompts:
        n = len(prompt.images)
        sequences.append(tokenizer.array(chat(prompt.text), tuple(counts[:n])))
        del counts[:n]
        if limit is not None and len(sequences[-1]) > limit:
            raise UserError(f"The prompt has {len(sequences[-1])} tokens, but the model takes at most {limit}; shorten it.")
    return Sequences(sequences, images)


def make_inputs(
    tokenizer: PromptTokenizer, prompts: Sequence[Prompt], settings: ImageSettings = USUAL, limit: int | None = None
) -> Inputs:
    """As :func:`make_sequences`, padded on the left."""
    made = make_sequences(tokenizer, prompts, settings, limit)
    return Inputs(*pad_left([ids.tolist() for ids in made.ids]), made.images)
