"""The tokens of the fast path against those of the reference: eager, one observation at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from policies.base import Exactness
from policies.phi3v.device import explain_out_of_memory, threads_for
from policies.phi3v.fast.engine import FastModel
from policies.phi3v.processor import Prompt, make_sequences
from policies.phi3v.vla import VLA


def compare(vla: VLA, prompts: Sequence[Prompt], batch: int) -> Exactness:
    """Run both on ``prompts``; the fast path in batches of ``batch``, with the fixed shapes of ``vla`` if it has them."""
    fixed = vla.inference.deterministic
    fast = FastModel(vla.model, vla.action_ids, vla.rule, batch, fixed)
    inputs = [make_sequences(vla.tokenizer, prompts[i : i + batch], vla.image_settings, vla.limit)
              for i in range(0, len(prompts), batch)]  # fmt: skip
    with explain_out_of_memory(vla.device), threads_for(vla.size, vla.device):
        made = [fast.generate(each, keep_logits=True) for each in inputs]
        fast.free()
        reference = [vla.generate_eagerly([prompt]) for prompt in prompts]
    ids, expected = (torch.cat([each.ids for each in all_]) for all_ in (made, reference))
    margins = torch.cat([each.margins for each in reference])
    logits, expected_logits = (
        torch.cat([each.logits.cpu() for each in all_ if each.logits is not None]) for all_ in (made, reference)
    )
    differs = ids != expected  # (B, 7)
    first = differs & (differs.cumsum(1) == 1)
    same_so_far = F.pad(differs, (1, -1)).cumsum(1) == 0  # nothing before it differs
    off = (logits - expected_logits).abs().amax(-1)[same_so_far]
    return Exactness(
        observations=len(prompts),
        batch=batch,
        dtype=str(vla.dtype).removeprefix("torch."),
        reference="eager, one observation at a time",
        tokens=ids.numel(),
        differing=tuple(differs.sum(0).tolist()),
        first_differing=tuple(first.sum(0).tolist()),
        observations_differing=int(differs.any(1).sum()),
        smallest_margins=tuple(round(x, 6) for x in margins.amin(0).tolist()),
        largest_margin_that_differed=float(margins[first].max()) if first.any() else None,
        largest_logit_difference=float(off.max()),
    )
