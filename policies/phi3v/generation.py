"""Seven action tokens, one after the other, always the likeliest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from transformers import DynamicCache

from policies.phi3v.model import Phi3V
from policies.phi3v.processor import Inputs

Rule = Literal["restricted", "full"]
"""``restricted``: among the action ids alone, which are all that the published training loss knows; ``full``: among the
whole vocabulary."""

ACTION_TOKENS = 7


@dataclass(frozen=True)
class Generated:
    """What the model said. B sequences, 7 tokens."""

    ids: Tensor
    """(B, 7) int64."""
    logits: Tensor
    """(B, 7, vocabulary) float32, what each token was chosen from."""
    outside: int
    """How many of the B x 7 times the likeliest id of the whole vocabulary was no action."""


def generate(model: Phi3V, inputs: Inputs, action_ids: range, rule: Rule) -> Generated:
    """The action tokens of a batch, as ids on the CPU.

    The cache of keys and values lives here, not in transformers' ``generate``, which drops it when a sequence outgrows
    the short rotary factors.
    """
    with torch.inference_mode():
        return _generate(model, inputs, action_ids, rule)


def _generate(model: Phi3V, inputs: Inputs, action_ids: range, rule: Rule) -> Generated:
    cache = DynamicCache()
    mask = inputs.mask.to(model.device)
    positions = inputs.positions.to(model.device)
    pictures = inputs.pictures
    vectors = model.embed(
        inputs.ids,
        pictures.crops if pictures else None,
        pictures.rows if pictures else None,
        pictures.sizes if pictures else (),
    )
    ids, logits = [], []
    for _ in range(ACTION_TOKENS):
        scores = model.logits(model.hidden(vectors, mask, positions, cache)[:, -1])
        logits.append(scores)
        ids.append(_likeliest(scores, action_ids, rule))
        vectors = model.embed(ids[-1][:, None], None, None, ())
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        positions = positions[:, -1:] + 1
    all_logits = torch.stack(logits, dim=1)
    best = all_logits.argmax(-1)
    outside = int(((best < action_ids.start) | (best >= action_ids.stop)).sum())
    return Generated(torch.stack(ids, dim=1).cpu(), all_logits, outside)


def _likeliest(scores: Tensor, action_ids: range, rule: Rule) -> Tensor:
    if rule == "full":
        return scores.argmax(-1)
    return scores[:, action_ids.start : action_ids.stop].argmax(-1) + action_ids.start
