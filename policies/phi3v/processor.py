"""Prompts and pictures of several episodes as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eval.errors import UserError
from policies.phi3v.camera_transforms import Picture
from policies.phi3v.image_processor import Pictures, prepare
from policies.phi3v.tokenizer import PAD, PromptTokenizer, chat


@dataclass(frozen=True)
class Question:
    """What the model is asked: a prompt, and the pictures that its tags name."""

    content: str
    """The user's turn, with ``<|image_1|>``, ... in it; the marks of the conversation are put around it."""
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Inputs:
    """A batch, padded on the left. B sequences, T tokens."""

    ids: Tensor
    """(B, T) int64; negative: place of a picture token."""
    mask: Tensor
    """(B, T) int64; 1 for tokens, 0 for padding."""
    pictures: Pictures | None

    @property
    def positions(self) -> Tensor:
        """(B, T) places of the tokens in their own sequence; 1 where there is padding, as the release has it."""
        return (self.mask.cumsum(-1) - 1).masked_fill(self.mask == 0, 1)


def pad_left(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """(ids, mask) of sequences of different lengths."""
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), longest), PAD)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, longest - len(sequence) :] = torch.tensor(sequence)
        mask[row, longest - len(sequence) :] = 1
    return ids, mask


def make_inputs(
    tokenizer: PromptTokenizer, questions: Sequence[Question], num_crops: int = 1, limit: int | None = None
) -> Inputs:
    """One batch of several questions; ``limit``: tokens that a sequence may have."""
    flat = [picture for question in questions for picture in question.pictures]
    pictures = prepare(flat, num_crops) if flat else None
    counts = list(pictures.tokens) if pictures else []
    sequences = []
    for question in questions:
        n = len(question.pictures)
        sequences.append(tokenizer.encode(chat(question.content), counts[:n]))
        del counts[:n]
        if limit is not None and len(sequences[-1]) > limit:
            raise UserError(f"The prompt has {len(sequences[-1])} tokens, but the model takes at most {limit}; shorten it.")
    return Inputs(*pad_left(sequences), pictures)
