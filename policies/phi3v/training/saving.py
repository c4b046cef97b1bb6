"""Checkpoints as ``run --checkpoint`` loads them: the released layout, in bfloat16."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import JsonValue
from safetensors.torch import save_file
from torch import Tensor

from policies.phi3v.config import read_json
from policies.phi3v.image_processor import ImageSettings
from policies.phi3v.preprocessor import FILE as PREPROCESSOR
from policies.phi3v.provenance import FILE as PROVENANCE
from policies.phi3v.random_weights import shards_of
from policies.phi3v.statistics import NORM_STATS, STATISTICS
from policies.phi3v.training.files import whole_folder
from policies.phi3v.weights import INDEX, SINGLE, released_name, released_shape

SURROUNDINGS = (
    "tokenizer.json", "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json", "chat_template.json",
    "chat_template.jinja", "generation_config.json", PREPROCESSOR, "processor_config.json",
)  # fmt: skip
"""What is taken over from the checkpoint that a training begins with, where it is there."""
SMALL_MODEL, SMALL_FILE = 500_000_000, 16 * 2**20 - 65536
"""Bytes: files of a model up to the first stay below 16 MiB, which is easily moved."""
LARGE_FILE = 5_000_000_000


def save_checkpoint(
    target: Path,
    state: Mapping[str, Tensor],
    base: Path,
    settings: ImageSettings,
    statistics: Mapping[str, JsonValue],
    record: Mapping[str, JsonValue],
) -> None:
    """Write a checkpoint; it appears when it is whole.

    Args:
        target: its folder.
        state: all weights, by their names in the model.
        base: folder that the training began with.
        settings: how images were prepared.
        statistics: content of ``dataset_statistics.json``.
        record: content of ``training.json``.

    Raises:
        UserError: the disk refuses.
    """
    tensors = {released_name(name): tensor for name, tensor in state.items()}
    shapes = {name: released_shape(name, tensor.shape) for name, tensor in tensors.items()}
    total = sum(2 * math.prod(shape) for shape in shapes.values())
    shards = list(shards_of(shapes, SMALL_FILE if total <= SMALL_MODEL else LARGE_FILE))
    with whole_folder(target) as folder:
        where: dict[str, str] = {}
        for number, shard in enumerate(shards, 1):
            name = SINGLE if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
            content = {
                key: tensors[key].detach().to("cpu", torch.bfloat16).reshape(shape).contiguous() for key, shape in shard.items()
            }
            save_file(content, folder / name, metadata={"format": "pt"})
            where |= dict.fromkeys(shard, name)
        if len(shards) > 1:
            _json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": dict(where)})
        config = {key: value for key, value in read_json(base / "config.json").items() if key != NORM_STATS}
        _json(folder / "config.json", {**config, "torch_dtype": "bfloat16"})
        for name in SURROUNDINGS:
            if (base / name).is_file():
                shutil.copyfile(base / name, folder / name)
        if not (folder / PREPROCESSOR).exists():
            mean_std: dict[str, JsonValue] = {"image_mean": [*settings.mean], "image_std": [*settings.std]}
            _json(folder / PREPROCESSOR, {"image_processor_type": "Phi3VImageProcessor", "num_crops": 1, **mean_std})
        _json(folder / STATISTICS, dict(statistics))
        _json(folder / PROVENANCE, dict(record))


def _json(path: Path, content: JsonValue) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")
