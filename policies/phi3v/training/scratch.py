"""Models that are trained from scratch: the architecture of the release, small enough to be trained in minutes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from policies.phi3v.config import parse_config
from policies.phi3v.model import Phi3V
from policies.phi3v.random_checkpoint import CONFIG, make_tokenizer
from policies.phi3v.tokenizer import FILE

SMALL: dict[str, Any] = {
    **CONFIG,
    "hidden_size": 256,
    "intermediate_size": 768,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "rope_scaling": {"type": "su", "short_factor": [1.0] * 32, "long_factor": [1.0 + i for i in range(32)]},
    "img_processor": {
        "name": "clip_vision_model",
        "image_dim_out": 256,
        "num_img_tokens": 144,
        "clip_config": {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 7, "num_attention_heads": 4},
    },
}
"""The matrix of 32064 embeddings is just below 16 MiB in bfloat16, so every file of a checkpoint can be."""
CONFIGS: Mapping[str, Mapping[str, Any]] = {"small": SMALL, "tiny": CONFIG}
"""What ``--init`` calls them -> ``config.json``."""
SPREAD = 0.02
"""Of initial weights."""
PLACES, PERIOD = 0.5, 10000.0
"""Size of the waves that tell patches apart at first, and what the longest is a multiple of, in patches."""


def new_model(name: str, seed: int) -> Phi3V:
    """A model with fresh weights, float32 on the CPU; the same whenever the seed is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Phi3V(parse_config(CONFIGS[name]))
        for mark in (model.row_end, model.global_mark):
            torch.nn.init.normal_(mark, std=SPREAD)
    model.make_tables(torch.device("cpu"))
    with torch.no_grad():
        table = model.vision.embeddings.position_embedding.weight  # (1 + patches, C); the class token's stays at random
        table[1:] = patch_places(math.isqrt(len(table) - 1), table.shape[1])
    return model


def patch_places(side: int, width: int) -> Tensor:
    """(side * side, width) waves over the rows and the columns of a square of patches, row by row.

    With random numbers, a model would first have to learn which patches are neighbours; so it begins with what a plain ViT
    keeps (Beyer et al., Better plain ViT baselines for ImageNet-1k, 2022).
    """
    waves = PERIOD ** -torch.linspace(0, 1, width // 4 + 1)[:-1]  # (width / 4,) rad a patch
    angles = torch.arange(side)[:, None] * waves  # (side, width / 4)
    along = torch.cat([angles.sin(), angles.cos()], 1)  # (side, width / 2)
    rows, columns = along[:, None].expand(-1, side, -1), along[None].expand(side, -1, -1)
    return PLACES * torch.cat([rows, columns], -1).flatten(0, 1)


def write_surroundings(folder: Path, name: str) -> None:
    """What a checkpoint holds beside its weights: ``config.json`` and the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIGS[name], indent=1))
    make_tokenizer().save(str(folder / FILE))
