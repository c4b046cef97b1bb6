"""Random weights that anyone can sample again: every tensor from a seed and its own released name.

Scaled so that signals neither die nor explode, and so that attention and choices are far from even.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from policies.phi3v.config import Phi3VConfig, parse_config
from policies.phi3v.model import Phi3V
from policies.phi3v.weights import INDEX, SINGLE, released_names, released_shape


def sample_tensor(name: str, shape: tuple[int, ...], seed: int, hidden: int) -> Tensor:
    """One tensor in bfloat16.

    Args:
        name: in a released checkpoint; it chooses the random numbers and their spread.
        shape: in a released checkpoint.
        seed: of all tensors.
        hidden: width of the language model.
    """
    x = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())])).standard_normal(shape, dtype=np.float32)
    parts = name.split(".")
    if parts[-1] == "bias":
        x *= np.float32(0.1)
    elif len(parts) > 1 and "norm" in parts[-2]:
        x = 1 + np.float32(0.1) * x
    elif name == "lm_head.weight":
        x *= np.float32(2 / np.sqrt(hidden))
    elif parts[-1].endswith("_GN") or "class_embedding" in name or "position_embedding" in name:
        x *= np.float32(0.5)
    elif "patch_embedding" in name:
        x *= np.float32(1 / np.sqrt(np.prod(shape[1:])))
    elif parts[-2] != "embed_tokens":
        x *= np.float32((1.5 if parts[-2] in ("qkv_proj", "q_proj", "k_proj") else 1.0) / np.sqrt(shape[-1]))
    return torch.from_numpy(x).to(torch.bfloat16)


def shapes(config: Phi3VConfig) -> dict[str, tuple[int, ...]]:
    """Released name -> shape of every tensor that a checkpoint needs."""
    with torch.device("meta"):
        model = Phi3V(config)
    return {key: released_shape(key, parameter.shape) for key, (_, parameter) in released_names(model).items()}


def write_weights(folder: Path, content: Mapping[str, Any], seed: int, shard_bytes: int | None = None) -> None:
    """Write ``config.json`` and random weights.

    Args:
        folder: where they go.
        content: of ``config.json``.
        seed: of all tensors.
        shard_bytes: about the size of a file; None: all in one.
    """
    (folder / "config.json").write_text(json.dumps(content, indent=1))
    config = parse_config(content)
    shards = list(shards_of(shapes(config), shard_bytes))
    where: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        for number, shard in enumerate(shards, 1):
            name = SINGLE if shard_bytes is None else f"model-{number:05}-of-{len(shards):05}.safetensors"
            tensors = pool.map(lambda name, shape: sample_tensor(name, shape, seed, config.hidden), shard, shard.values())
            save_file(dict(zip(shard, tensors, strict=True)), folder / name, metadata={"format": "pt"})
            where |= dict.fromkeys(shard, name)
    if shard_bytes is not None:
        total = sum(2 * int(np.prod(shape)) for shape in shapes(config).values())
        (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": where}, indent=1))


def shards_of(tensors: Mapping[str, tuple[int, ...]], limit: int | None) -> Iterator[dict[str, tuple[int, ...]]]:
    """Names and shapes of each file, in their order, if no file shall be larger than ``limit`` bytes (but for one tensor)."""
    shard: dict[str, tuple[int, ...]] = {}
    size = 0
    for name, shape in tensors.items():
        here = 2 * int(np.prod(shape))
        if shard and limit is not None and size + here > limit:
            yield shard
            shard, size = {}, 0
        shard[name] = shape
        size += here
    yield shard
