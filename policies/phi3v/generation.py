"""Seven action tokens, one after the other, always the likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from policies.phi3v.inference import Rule
from policies.phi3v.model import Phi3V
from policies.phi3v.processor import Inputs

ACTION_TOKENS = 7


@dataclass(frozen=True)
class Generated:
    """What the model generated. B sequences, 7 tokens."""

    ids: Tensor
    """(B, 7) int64."""
    logits: Tensor | None
    """(B, 7, vocabulary) float32, what each token was chosen from; None where they are not kept."""
    margins: Tensor
    """(B, 7) float32 on the CPU: by how much the logit of the chosen id exceeds that of the next one which might be chosen."""
    outside: int
    """How many of the B x 7 times the likeliest id of the whole vocabulary was no action."""


def generate(model: Phi3V, inputs: Inputs, action_ids: range, rule: Rule) -> Generated:
    """The action tokens of a batch, as ids on the CPU.

    Args:
        model: the model.
        inputs: B sequences, padded on the left.
        action_ids: the ids that are actions.
        rule: which ids may be chosen.

    Returns:
        Ids and logits of the 7 tokens of every sequence.

    The cache of keys and values lives here, not in transformers' ``generate``, which drops it when a sequence outgrows
    the short rotary factors.
    """
    with torch.inference_mode():
        return _generate(model, inputs, action_ids, rule)


def together(parts: Sequence[Generated]) -> Generated:
    """Several batches as one, without logits."""
    ids, margins = torch.cat([part.ids for part in parts]), torch.cat([part.margins for part in parts])
    return Generated(ids, None, margins, sum(part.outside for part in parts))


def _generate(model: Phi3V, inputs: Inputs, action_ids: range, rule: Rule) -> Generated:
    cache = DynamicCache()
    attention_mask = inputs.attention_mask.to(model.device)  # (B, T)
    position_ids = inputs.position_ids.to(model.device)  # (B, T)
    images = inputs.images
    embeddings = (  # (B, T, H)
        model.embed(inputs.input_ids, images.crops, images.crop_rows, images.image_sizes)
        if images
        else model.embed(inputs.input_ids)
    )
    ids, logits, margins = [], [], []
    for _ in range(ACTION_TOKENS):
        states = model.hidden_states(embeddings, attention_mask, position_ids, cache)
        scores = model.logits(states[:, -1])  # (B, V)
        logits.append(scores)
        best, margin = _likeliest(scores, action_ids, rule)  # (B,), (B,)
        ids.append(best)
        margins.append(margin)
        embeddings = model.embed(ids[-1][:, None])  # (B, 1, H)
        attention_mask = torch.cat([attention_mask, attention_mask.new_ones(len(attention_mask), 1)], dim=1)
        position_ids = position_ids[:, -1:] + 1  # (B, 1)
    all_logits = torch.stack(logits, dim=1)  # (B, 7, V)
    best = all_logits.argmax(-1)  # (B, 7)
    outside = int(((best < action_ids.start) | (best >= action_ids.stop)).sum())
    return Generated(torch.stack(ids, dim=1).cpu(), all_logits, torch.stack(margins, dim=1).cpu(), outside)


def _likeliest(scores: Tensor, action_ids: range, rule: Rule) -> tuple[Tensor, Tensor]:
    """(B, vocabulary) -> (B,) ids and (B,) margins."""
    start, stop = (0, scores.shape[-1]) if rule == "full" else (action_ids.start, action_ids.stop)
    best = scores[:, start:stop].argmax(-1)
    return best + start, margin_of(scores[:, start:stop], best)


def margin_of(scores: Tensor, best: Tensor) -> Tensor:
    """(B, ids) and the index of the best of each -> (B,) by how much it exceeds the second."""
    others = scores.scatter(-1, best[:, None], -torch.inf)
    return scores.gather(-1, best[:, None])[:, 0] - others.amax(-1)
