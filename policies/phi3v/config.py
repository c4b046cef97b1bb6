"""Sizes of a checkpoint, read from its ``config.json``.

Only numbers are taken: ``auto_map`` and everything else that names code is never looked at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.errors import UserError

CLIP_L_336: Mapping[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
"""The vision tower of the release, whose ``config.json`` only names it."""

CROP = 336
"""Side of a crop [pixel]."""
CELLS = 12
"""Image tokens a side of one crop, after 2x2 patches have become one."""
MOST_CROPS = 64


@dataclass(frozen=True)
class Phi3VConfig:
    """What is needed to build the model."""

    text: Mapping[str, Any]
    """Keyword arguments of transformers' ``Phi3Config``."""
    vision: Mapping[str, Any]
    """Keyword arguments of transformers' ``CLIPVisionConfig``; all layers, the last one included."""

    @property
    def hidden(self) -> int:
        """Width of the language model."""
        return int(self.text["hidden_size"])

    @property
    def merged(self) -> int:
        """Width of one image token before the projection: four patches."""
        return 4 * int(self.vision["hidden_size"])

    @property
    def short_context(self) -> int:
        """Longest sequence [tokens] that the short rotary factors serve."""
        return int(self.text["original_max_position_embeddings"])


_TEXT_KEYS = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size",
    "max_position_embeddings", "original_max_position_embeddings", "rms_norm_eps",
)  # fmt: skip


def check_crops(num_crops: str | int) -> int:
    """How many crops an image may fill, as a user writes it. Raises UserError if that is no such number."""
    if not str(num_crops).isdecimal() or not 1 <= int(num_crops) <= MOST_CROPS:
        raise UserError(f'num_crops "{num_crops}" is not possible; give a number from 1 to {MOST_CROPS}.')
    return int(num_crops)


def read_config(folder: Path) -> Phi3VConfig:
    """The configuration of a checkpoint folder; ``UserError`` if it is no Phi-3-vision one."""
    content = read_json(folder / "config.json")
    if content.get("model_type") != "phi3_v":
        raise UserError(
            f'{folder} is no Phi-3-vision checkpoint: model_type in config.json is "{content.get("model_type")}", not "phi3_v".'
        )
    try:
        return parse_config(content)
    except ValueError as error:
        raise UserError(f"{folder}/config.json cannot be used: {error}.") from error
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UserError(f"{folder}/config.json cannot be used: {type(error).__name__}: {error}.") from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; ``UserError`` if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except FileNotFoundError:
        raise UserError(f"{path.parent} is no checkpoint: it has no {path.name}.{_checkpoint_below(path)}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no JSON object.")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys all differ; of a key that comes twice, JSON would silently keep the last."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f'"{next(name for name in names if names.count(name) > 1)}" is there twice')
    return content


def _checkpoint_below(path: Path) -> str:
    """Trainers put checkpoints into folders of their output folder: say where one is."""
    below = sorted((other.parent.name for other in path.parent.glob(f"*/{path.name}")), key=lambda name: (len(name), name))
    return f" Its folder {below[-1]} has one." if below else ""


def parse_config(content: Mapping[str, Any]) -> Phi3VConfig:
    """The same for a configuration that is already read; raises ``KeyError`` or ``ValueError`` for what is lacking."""
    text = {key: content[key] for key in _TEXT_KEYS}
    heads = text["num_attention_heads"]
    text["num_key_value_heads"] = content.get("num_key_value_heads") or heads
    _check_sizes(text)
    if text["hidden_size"] % heads:
        raise ValueError(f"hidden_size {text['hidden_size']} is no multiple of num_attention_heads {heads}")
    text["hidden_act"] = content.get("hidden_act", "silu")
    text["rope_parameters"] = _rope(content)
    # No padding row, no early end, no window: prompts are padded by mask, always 7 tokens are made, and the window of
    # the release is longer than any sequence.
    text |= {"pad_token_id": None, "sliding_window": None, "tie_word_embeddings": False, "use_cache": True}
    _check_fixed(content, FIXED, "")
    _check_fixed(content.get("embd_layer") or {}, EMBEDDING_LAYER, "embd_layer ")
    tower = content.get("img_processor") or {}
    _check_fixed(tower, IMG_PROCESSOR, "img_processor ")
    window = content.get("sliding_window")
    if window is not None and window < text["original_max_position_embeddings"]:
        raise ValueError(f"a sliding_window of {window} is not supported, only one that is longer than every prompt")
    own = tower.get("clip_config") or {}
    _check_fixed(own, CLIP_CONFIG, "clip_config ")
    vision = {key: own.get(key, value) for key, value in CLIP_L_336.items()}
    _check_sizes(vision)
    grid = vision["image_size"] // vision["patch_size"]
    if vision["image_size"] != CROP or grid != 2 * CELLS:
        raise ValueError(f"vision patches of {vision['patch_size']} in {vision['image_size']} pixels are not supported")
    if tower.get("image_dim_out", vision["hidden_size"]) != vision["hidden_size"]:
        raise ValueError(f"image_dim_out {tower['image_dim_out']} is not the vision tower's width, {vision['hidden_size']}")
    return Phi3VConfig(text, vision)


def _rope(content: Mapping[str, Any]) -> dict[str, Any]:
    scaling, original = content["rope_scaling"], content["original_max_position_embeddings"]
    if content["max_position_embeddings"] < original:
        raise ValueError(f"max_position_embeddings is less than original_max_position_embeddings, {original}")
    factor = content["max_position_embeddings"] / original
    theta = float(content["rope_theta"])
    if not 0 < theta < math.inf:
        raise ValueError(f"rope_theta cannot be {theta}")
    kind = scaling.get("type", scaling.get("rope_type"))
    if kind not in ("su", "longrope"):  # "su" is the release's word for what transformers calls longrope
        raise ValueError(f'rope_scaling type "{kind}" is not supported')
    repeated = {"factor": factor, "original_max_position_embeddings": original, "rope_theta": theta, "rope_type": kind}
    _check_fixed(scaling, {name: (value, None) for name, value in repeated.items()}, "rope_scaling ")
    pairs = content["hidden_size"] // content["num_attention_heads"] // 2
    for name in ("short_factor", "long_factor"):
        if len(scaling[name]) != pairs:
            raise ValueError(f"rope_scaling {name} has {len(scaling[name])} numbers, not {pairs}")
        if not all(0 < float(x) < math.inf for x in scaling[name]):
            raise ValueError(f"rope_scaling {name} must be positive numbers")
    return {
        "rope_type": "longrope",
        "rope_theta": theta,
        "short_factor": [float(x) for x in scaling["short_factor"]],
        "long_factor": [float(x) for x in scaling["long_factor"]],
        "original_max_position_embeddings": original,
        "factor": factor,
    }


Fixed = Mapping[str, tuple[Any, ...] | None]
"""Key -> the values that mean what is done here; None: whatever it says is used, checked elsewhere, or has no effect."""

FIXED: Fixed = {
    "tie_word_embeddings": (False, None),
    "partial_rotary_factor": (1, None),
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
    "n_action_bins": (256,),
    "quantization_config": (None,),
    "rope_parameters": (None,),
    "is_encoder_decoder": (False,),
    "add_cross_attention": (False,),
}
"""Of ``config.json``."""
CONFIG_KEYS = {
    *FIXED, *_TEXT_KEYS, "num_key_value_heads", "hidden_act", "rope_scaling", "rope_theta", "sliding_window", "embd_layer",
    "img_processor",
}  # fmt: skip
"""All keys of ``config.json`` that are read."""
EMBEDDING_LAYER: Fixed = {
    "embedding_cls": ("image",),
    "hd_transform_order": ("sub_glb",),
    "projection_cls": ("mlp",),
    "use_hd_transform": (True,),
    "with_learnable_separator": (True,),
}
"""Other arrangements of the image tokens exist in the family; this one alone is what the released policies use."""
IMG_PROCESSOR: Fixed = {
    "name": ("clip_vision_model",),
    "num_img_tokens": (CELLS**2,),
    "layer_idx": (-2,),
    "type_feature": ("patch",),
    "image_dim_out": None,
    "model_name": None,
    "clip_config": None,
}
ROPE_SCALING = {
    "type", "rope_type", "short_factor", "long_factor", "factor", "original_max_position_embeddings", "rope_theta"
}  # fmt: skip
CLIP_CONFIG: Fixed = {
    **dict.fromkeys(CLIP_L_336),
    "num_channels": (3,),
    **dict.fromkeys(
        ("projection_dim", "dropout", "attention_dropout", "initializer_factor", "initializer_range", "model_type")
    ),
}


def _check_fixed(content: Mapping[str, Any], fixed: Fixed, place: str) -> None:
    """Raise ValueError for a value that means something that is not done here."""
    for key, value in content.items():
        allowed = fixed.get(key)
        if allowed is not None and value not in allowed:
            raise ValueError(f"{place}{key} {json.dumps(value)[:60]} is not supported, only {json.dumps(allowed[0])}")


def unknown_keys(content: Mapping[str, Any], without_effect: Collection[str]) -> Iterator[str]:
    """Keys of a ``config.json``, with the place of those within, that are neither read nor in ``without_effect``.

    The released checkpoints' own files could not be seen, so such keys do not make a checkpoint unusable.
    """
    tower = content.get("img_processor") or {}
    scaling = content.get("rope_scaling") or {}
    parts: tuple[tuple[str, Mapping[str, Any], Collection[str]], ...] = (
        ("", content, {*CONFIG_KEYS, *without_effect}),
        ("embd_layer.", content.get("embd_layer") or {}, EMBEDDING_LAYER),
        ("img_processor.", tower, IMG_PROCESSOR),
        ("img_processor.clip_config.", tower.get("clip_config") or {}, CLIP_CONFIG),
        ("rope_scaling.", scaling, ROPE_SCALING),
    )
    for place, part, known in parts:
        yield from (f"{place}{key}" for key, value in part.items() if key not in known and value is not None)


def _check_sizes(sizes: Mapping[str, Any]) -> None:
    """Raise ValueError for a number of layers, a width and the like that is no positive number."""
    for name, value in sizes.items():
        if name.endswith("_eps"):
            good = isinstance(value, float) and 0 < value < 1
        elif name.startswith(("num_", "hidden_size", "intermediate", "vocab", "max_", "original_", "image_", "patch_")):
            good = isinstance(value, int) and not isinstance(value, bool) and 0 < value < LARGEST.get(name, 10_000_000)
        else:
            continue
        if not good:
            raise ValueError(f"{name} cannot be {json.dumps(value)[:60]}")


LARGEST = {"num_hidden_layers": 1000}
"""A layer too many costs time before its weights are found missing."""
