"""Weights by rule from numpy's frozen ``RandomState``: a tracker that others can build without any file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

FACTORS = {"updateformer.flow_head.weight": 0.07, "updateformer.vis_conf_head.weight": 3.0, "corr_mlp.fc2.weight": 20.0}
"""So that points move by a few pixels, and correlation and visibility matter."""


def formula_weights(template: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Tensors with the names and shapes of ``template`` (a state dict of CoTracker3, whose ``time_emb`` is kept)."""
    import torch

    random = np.random.RandomState(seed)
    weights = {}
    for name in sorted(template):
        if name == "time_emb":
            weights[name] = template[name].clone()
            continue
        shape = tuple(template[name].shape)
        values = random.standard_normal(shape)
        if name.endswith("norm_context.weight"):
            values = 1 + 0.02 * values
        elif not name.endswith("virual_tracks"):  # so the package spells it
            values *= 0.02 if name.endswith("bias") or len(shape) == 1 else _spread(name, shape)
        weights[name] = torch.from_numpy(values.astype(np.float32))
    return weights


def _spread(name: str, shape: tuple[int, ...]) -> float:
    """Standard deviation of a weight matrix or kernel."""
    gain = 2.0 if name.startswith("fnet.") else 1.0
    return math.sqrt(gain / math.prod(shape[1:])) * FACTORS.get(name, 1.0)
