"""AdamW and the course of the learning rate, with the values of the release."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from policies.training import Settings

BETAS, EPSILON = (0.9, 0.95), 1e-7


def make_optimizer(trainable: Mapping[str, nn.Parameter], settings: Settings) -> torch.optim.AdamW:
    """Biases and norms do not decay."""
    decaying: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in trainable.items():
        plain = parameter.ndim < 2 or name.endswith(("row_end", "global_mark"))
        (others if plain else decaying).append(parameter)
    groups = [{"params": decaying, "weight_decay": settings.wd}, {"params": others, "weight_decay": 0.0}]
    whole_on_gpu = all(each.is_cuda and not isinstance(each, DTensor) for each in trainable.values())
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=settings.learning_rate, betas=BETAS, eps=EPSILON,
        fused=whole_on_gpu or None,
    )  # fmt: skip


def learning_rate(step: int, steps: int, settings: Settings) -> float:
    """Of the step number ``step`` (from 0) of ``steps``."""
    warm = min(1.0, (step + 1) / settings.warmup_steps) if settings.warmup_steps else 1.0
    if settings.schedule == "constant" or step < settings.warmup_steps:
        return settings.learning_rate * warm
    through = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * through))


def shorten_gradients(parameters: Iterable[nn.Parameter], longest: float) -> Tensor:
    """Scale gradients down to a common length of at most ``longest``; returns the length they had, not yet waited for."""
    length: Tensor = nn.utils.clip_grad_norm_(list(parameters), longest)
    return length.full_tensor() if isinstance(length, DTensor) else length
