"""Checkpoints in the released layout with random weights, made on the spot.

``tiny-random`` is small enough for any machine, ``full-random`` has the size of the release (8 GB). They know nothing; they
let the whole way from image to action be walked, and its price be measured, without a download.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

from policies.phi3v.random_weights import write_weights
from policies.phi3v.tokenizer import PAD

SEED = 20260909
CONFIG: dict[str, Any] = {
    "architectures": ["Phi3VForCausalLM"],
    "model_type": "phi3_v",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 32064,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 131072,
    "original_max_position_embeddings": 4096,
    "rope_theta": 10000.0,
    "rope_scaling": {
        "type": "su",
        "short_factor": [1.0, 1.1, 1.2, 1.3, 1.5, 1.8, 2.2, 2.8],
        "long_factor": [1.1, 3.0, 8.0, 16.0, 24.0, 32.0, 48.0, 60.0],
    },
    "embd_layer": {
        "embedding_cls": "image",
        "hd_transform_order": "sub_glb",
        "projection_cls": "mlp",
        "use_hd_transform": True,
        "with_learnable_separator": True,
    },
    "img_processor": {
        "name": "clip_vision_model",
        "image_dim_out": 16,
        "num_img_tokens": 144,
        "clip_config": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2},
    },
    "torch_dtype": "bfloat16",
}
FULL_CONFIG: dict[str, Any] = {
    **CONFIG,
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "rope_scaling": {
        "type": "su",
        "short_factor": [1.0 + i / 40 for i in range(48)],
        "long_factor": [1.0 + i for i in range(48)],
    },
    "img_processor": {"name": "clip_vision_model", "image_dim_out": 1024, "num_img_tokens": 144},
}
SHARD_BYTES = 5_000_000_000
KINDS: dict[str, tuple[dict[str, Any], int | None]] = {
    "tiny-random": (CONFIG, None), "full-random": (FULL_CONFIG, SHARD_BYTES),
}  # fmt: skip
"""What ``--checkpoint`` calls them -> (config.json, bytes a shard)."""

_RANGES = {  # steps of about a centimetre and a few degrees; invented
    "bridge_orig": ([-0.02, -0.02, -0.02, -0.06, -0.06, -0.1, 0.0], [0.02, 0.02, 0.02, 0.06, 0.06, 0.1, 1.0]),
    "fractal20220817_data": ([-0.06, -0.06, -0.06, -0.1, -0.1, -0.1, 0.0], [0.06, 0.06, 0.06, 0.1, 0.1, 0.1, 1.0]),
}


def random_checkpoint(kind: str) -> Path:
    """The folder of one of ``KINDS``, made if need be; any number of processes may ask at once."""
    version = hashlib.blake2b(Path(__file__).read_bytes(), digest_size=6).hexdigest()
    target = _cache_folder() / kind / version
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{version}-"))
    try:
        write_random(part, kind)
        os.rename(part, target)
    except OSError:
        if not target.is_dir():  # otherwise another process was first
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _cache_folder() -> Path:
    """``$XDG_CACHE_HOME/simpler-eval``, or a private temporary folder where home cannot be written."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "simpler-eval"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"simpler-eval-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def write_random(folder: Path, kind: str) -> None:
    """Write the checkpoint into ``folder``."""
    content, shard_bytes = KINDS[kind]
    write_weights(folder, content, SEED, shard_bytes)
    complete(folder)


def complete(folder: Path) -> None:
    """Add to weights what else a checkpoint holds: tokenizer and ranges."""
    mask = [True] * 6 + [False]
    ranges = {key: {"action": {"q01": low, "q99": high, "mask": mask}} for key, (low, high) in _RANGES.items()}
    (folder / "dataset_statistics.json").write_text(json.dumps(ranges, indent=1))
    make_tokenizer().save(str(folder / "tokenizer.json"))


def make_tokenizer() -> Tokenizer:
    """A tokenizer with the special tokens of the release at their ids, and letters in place of words.

    Bytes, the space (29871) and the newline (13, a byte) are where the release has them; the last 256 ids of 32000 are
    the actions, and everything else is filled up.
    """
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2, **{f"<0x{byte:02X}>": byte + 3 for byte in range(256)}, "▁": 29871}
    letters = [chr(code) for code in range(33, 127)]
    vocabulary |= {letter: 259 + i for i, letter in enumerate(letters)}
    taken = set(vocabulary.values())
    vocabulary |= {f"⁂{number}": number for number in range(PAD) if number not in taken}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair=None, special_tokens=[("<s>", 1)])
    named = {PAD: "<|endoftext|>", 32001: "<|assistant|>", 32006: "<|system|>", 32007: "<|end|>", 32010: "<|user|>"}
    named[32044] = "<|image|>"
    number = 0
    for place in range(PAD, 32045):
        if place not in named:
            number += 1
        text = named.get(place, f"<|placeholder{number}|>")
        greedy = place not in (PAD, 32006, 32007, 32010)  # swallows the white space that follows
        tokenizer.add_special_tokens([AddedToken(text, rstrip=greedy, normalized=False)])
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in ("<unk>", "<s>")])
    tokenizer.add_tokens([AddedToken("</s>", rstrip=True, normalized=False)])
    return tokenizer
