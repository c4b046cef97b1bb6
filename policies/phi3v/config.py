"""Sizes of a checkpoint, read from its ``config.json``.

Only numbers are taken: ``auto_map`` and everything else that names code is never looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def read_config(folder: Path) -> Phi3VConfig:
    """The configuration of a checkpoint folder; ``UserError`` if it is no Phi-3-vision one."""
    content = read_json(folder / "config.json")
    if content.get("model_type") != "phi3_v":
        raise UserError(
            f'{folder} is no Phi-3-vision checkpoint: model_type in config.json is "{content.get("model_type")}", not "phi3_v".'
        )
    try:
        return parse_config(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{folder}/config.json cannot be used: {type(error).__name__}: {error}.") from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; ``UserError`` if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path.parent} is no checkpoint: it has no {path.name}.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no JSON object.")
    return content


def parse_config(content: Mapping[str, Any]) -> Phi3VConfig:
    """The same for a configuration that is already read; raises ``KeyError`` or ``ValueError`` for what is lacking."""
    text = {key: content[key] for key in _TEXT_KEYS}
    heads = text["num_attention_heads"]
    if text["hidden_size"] % heads:
        raise ValueError(f"hidden_size {text['hidden_size']} is no multiple of num_attention_heads {heads}")
    text["num_key_value_heads"] = content.get("num_key_value_heads") or heads
    text["hidden_act"] = content.get("hidden_act", "silu")
    text["rope_parameters"] = _rope(content)
    # No padding row, no early end, no window: prompts are padded by mask, always 7 tokens are made, and the window of
    # the release is longer than any sequence.
    text |= {"pad_token_id": None, "sliding_window": None, "tie_word_embeddings": False, "use_cache": True}
    _check_layout(content)
    own = (content.get("img_processor") or {}).get("clip_config") or {}
    vision = {key: own.get(key, value) for key, value in CLIP_L_336.items()}
    grid = vision["image_size"] // vision["patch_size"]
    if vision["image_size"] != CROP or grid != 2 * CELLS:
        raise ValueError(f"vision patches of {vision['patch_size']} in {vision['image_size']} pixels are not supported")
    return Phi3VConfig(text, vision)


def _rope(content: Mapping[str, Any]) -> dict[str, Any]:
    scaling = content["rope_scaling"]
    kind = scaling.get("type", scaling.get("rope_type"))
    if kind not in ("su", "longrope"):  # "su" is the release's word for what transformers calls longrope
        raise ValueError(f'rope_scaling type "{kind}" is not supported')
    pairs = content["hidden_size"] // content["num_attention_heads"] // 2
    for name in ("short_factor", "long_factor"):
        if len(scaling[name]) != pairs:
            raise ValueError(f"rope_scaling {name} has {len(scaling[name])} numbers, not {pairs}")
    return {
        "rope_type": "longrope",
        "rope_theta": float(content["rope_theta"]),
        "short_factor": [float(x) for x in scaling["short_factor"]],
        "long_factor": [float(x) for x in scaling["long_factor"]],
        "original_max_position_embeddings": content["original_max_position_embeddings"],
        "factor": content["max_position_embeddings"] / content["original_max_position_embeddings"],
    }


def _check_layout(content: Mapping[str, Any]) -> None:
    """Other arrangements of the image tokens exist in the family; this one alone is what the released policies use."""
    known = {
        "embedding_cls": "image",
        "hd_transform_order": "sub_glb",
        "projection_cls": "mlp",
        "use_hd_transform": True,
        "with_learnable_separator": True,
    }
    layout = content.get("embd_layer") or {}
    for key, value in known.items():
        if layout.get(key, value) != value:
            raise ValueError(f'embd_layer {key} "{layout[key]}" is not supported, only "{value}"')
