"""The two losses of the release, and what is told beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.loss.loss_utils import ForCausalLMLoss

from policies.phi3v.actions import CENTRES
from policies.phi3v.device import brought
from policies.phi3v.generation import ACTION_TOKENS
from policies.phi3v.image_processor import normalised
from policies.phi3v.model import Phi3V
from policies.phi3v.training.batches import Batch

Rule = Literal["action_token_only", "full"]


@dataclass(frozen=True)
class Measured:
    """Of a batch, tensors without dimensions."""

    loss: Tensor
    """With gradients where the model has them."""
    accuracy: Tensor
    """Share of the action tokens whose likeliest id is right: of the actions, or of all ids if the loss is ``full``."""
    l1: Tensor
    """Mean distance of the decoded numbers, which lie in -1..1."""


class TargetLogits(nn.Module):  # type: ignore[misc]
    """A model as a training calls it; what divides weights among processes puts them together around this call."""

    def __init__(self, model: Phi3V) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        """(B, 8, V) float32, see :func:`target_logits`."""
        return target_logits(self.model, batch)


def measure(network: TargetLogits, batch: Batch, rule: Rule, actions: range) -> Measured:
    """Loss and accuracy of a batch.

    Args:
        network: it stands where the batch's tensors are brought to.
        batch: B samples.
        rule: ``action_token_only``: cross entropy over the 256 action ids at the seven places; ``full``: transformers' own for
            causal language models, over the whole vocabulary, at the seven places and the end.
        actions: the ids that are actions.
    """
    scores: Tensor = network(batch)  # (B, 8, V)
    targets = brought(batch.targets, scores.device)  # (B, 8)
    of_actions = scores[:, :ACTION_TOKENS, actions.start : actions.stop]  # (B, 7, 256)
    wanted = targets[:, :ACTION_TOKENS]  # (B, 7)
    if rule == "full":
        loss = ForCausalLMLoss(scores, None, scores.shape[-1], shift_labels=targets)
        said = scores[:, :ACTION_TOKENS].argmax(-1)
    else:
        loss = F.cross_entropy(of_actions.flatten(0, 1), (wanted - actions.start).flatten())
        said = of_actions.argmax(-1) + actions.start
    return Measured(loss, (said == wanted).float().mean(), (_decoded(said, actions) - _decoded(wanted, actions)).abs().mean())


def target_logits(model: Phi3V, batch: Batch) -> Tensor:
    """(B, 8, V) float32, of the seven actions and the end; other places have none."""
    images = batch.images
    crops = normalised(images.views.to(model.device, non_blocking=True), images.settings)
    embeddings = model.embed(batch.input_ids, crops, images.crop_rows, images.image_sizes)  # (B, T, H)
    states = model.hidden_states(embeddings)  # (B, T, H)
    at = brought(batch.at, model.device)[..., None].expand(-1, -1, states.shape[-1])  # (B, 8, H)
    return model.logits(states.gather(1, at))


def _decoded(ids: Tensor, actions: range) -> Tensor:
    """As :func:`policies.phi3v.actions.decode`."""
    centres = torch.as_tensor(CENTRES, dtype=torch.float32, device=ids.device)
    return centres[(actions.stop - ids - 1).clamp(0, len(CENTRES) - 1)]
