"""Whatever else a checkpoint folder says: it changes nothing, is refused, or is named in every title as not used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from eval.errors import UserError
from policies.phi3v.config import read_json, unknown_keys
from policies.phi3v.preprocessor import unknown_image_keys
from policies.phi3v.statistics import NORM_STATS
from policies.phi3v.tokenizer import PAD, PromptTokenizer, chat

LIKELIEST: Mapping[str, tuple[Any, ...]] = {
    "do_sample": (False, None),
    "num_beams": (1, None),
    "num_beam_groups": (1, None),
    "num_return_sequences": (1, None),
    "penalty_alpha": (0, None),
    "repetition_penalty": (1, None),
    "encoder_repetition_penalty": (1, None),
    "diversity_penalty": (0, None),
    "no_repeat_ngram_size": (0, None),
    "encoder_no_repeat_ngram_size": (0, None),
    "guidance_scale": (1, None),
    "min_length": (0, None),
    "min_new_tokens": (0, None),
    "dola_layers": (None,),
    **dict.fromkeys(
        (
            "bad_words_ids", "force_words_ids", "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id",
            "forced_eos_token_id", "forced_decoder_ids", "sequence_bias", "constraints", "watermarking_config",
            "exponential_decay_length_penalty",
        ),
        (None, [], {}),
    ),
}  # fmt: skip
"""Of ``generation_config.json`` (and, from older versions, ``config.json``): values with which the likeliest token is taken."""
GENERATION_WITHOUT_EFFECT = {
    "_from_model_config", "transformers_version", "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id",
    "max_length", "max_new_tokens", "max_time", "stop_strings", "early_stopping", "length_penalty", "temperature", "top_p",
    "top_k", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff", "renormalize_logits", "remove_invalid_values",
    "use_cache", "cache_implementation", "cache_config", "return_legacy_cache", "low_memory", "prefill_chunk_size",
    "output_scores", "output_logits", "output_attentions", "output_hidden_states", "return_dict_in_generate", "token_healing",
    "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold", "assistant_early_exit",
    "assistant_lookbehind", "target_lookbehind", "prompt_lookup_num_tokens", "max_matching_ngram_size", "is_assistant",
    "compile_config", "disable_compile", "generation_kwargs",
}  # fmt: skip
"""Always seven tokens are made, each the likeliest, whatever these say."""
CONFIG_WITHOUT_EFFECT = {
    "_name_or_path", "_commit_hash", "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal",
    "attn_implementation", "architectures", "auto_map", "model_type", "transformers_version", "torch_dtype", "dtype",
    "attention_dropout", "embd_pdrop", "resid_pdrop", "initializer_range", "gradient_checkpointing", "use_bfloat16",
    "id2label", "label2id", "problem_type", "task_specific_params", "finetuning_task", "tokenizer_class", "sep_token_id",
    "return_dict", "torchscript", "tf_legacy_loss", "is_decoder", "prefix", "pruned_heads", "chunk_size_feed_forward",
    "cross_attention_hidden_size", "tie_encoder_decoder", "use_flash_attn", "use_flash_attention_2", "pretraining_tp",
    "_flash_attn_2_enabled", NORM_STATS,
}  # fmt: skip
"""Names, and what matters in training alone."""
TRAINING_FILES = (
    "training_args.bin", "optimizer", "scheduler", "rng_state", "scaler", "random_states", "pytorch_model", "custom_checkpoint",
    "profile", "zero_pp_rank", "mp_rank", "bf16_zero_pp_rank",
)  # fmt: skip
"""Beginnings of files that trainers leave beside the weights; ``pytorch_model*``: the same weights once more."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".npz", ".h5", ".msgpack", ".gguf", ".onnx")


def check_leftovers(folder: Path, tokenizer: PromptTokenizer) -> tuple[str, ...]:
    """What of a folder is not used although it might be meant to be, in a word or two each, for titles.

    Args:
        folder: of the checkpoint.
        tokenizer: of the same folder.

    Raises:
        UserError: something there contradicts how the model is played, such as sampled tokens.
    """
    unused = [*_config(folder), *unknown_image_keys(folder), *_generation(folder)]
    _check_tokens(folder, tokenizer)
    _check_template(folder)
    names = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    return (*unused, *(name for name in names if not name.startswith(TRAINING_FILES)))


def _config(folder: Path) -> list[str]:
    content = read_json(folder / "config.json")
    _check_likeliest(folder / "config.json", content)
    without_effect = {*CONFIG_WITHOUT_EFFECT, *LIKELIEST, *GENERATION_WITHOUT_EFFECT}
    return [f"config.json {key}" for key in unknown_keys(content, without_effect)]


def _generation(folder: Path) -> list[str]:
    path = folder / "generation_config.json"
    if not path.exists():
        return []
    content = read_json(path)
    _check_likeliest(path, content)
    known = {*LIKELIEST, *GENERATION_WITHOUT_EFFECT}
    return [f"{path.name} {key}" for key, value in content.items() if key not in known and value is not None]


def _check_likeliest(path: Path, content: Mapping[str, Any]) -> None:
    for key, usual in LIKELIEST.items():
        if key in content and content[key] not in usual:
            raise UserError(
                f"{path}: {key} {json.dumps(content[key])[:60]} is not supported: actions are always the likeliest tokens. "
                "Remove it to play the model so."
            )


def _check_tokens(folder: Path, tokenizer: PromptTokenizer) -> None:
    """Tokens that other files add must be in ``tokenizer.json``, which alone is used."""
    path = folder / "added_tokens.json"
    if path.exists():
        _check_ids(path, read_json(path), tokenizer)
    path = folder / "tokenizer_config.json"
    if not path.exists():
        return
    content = read_json(path)
    added = content.get("added_tokens_decoder")
    if isinstance(added, Mapping):
        entries = {number: entry.get("content") for number, entry in added.items() if isinstance(entry, Mapping)}
        _check_ids(path, {text: number for number, text in entries.items() if isinstance(text, str)}, tokenizer)
    piece = tokenizer.piece("a")
    for key, there in (("add_bos_token", piece[0] == 1), ("add_eos_token", piece[-1] in (2, PAD))):
        if content.get(key, there) not in (there, None):
            raise UserError(f"{path} says {key} {json.dumps(content[key])[:60]}, but tokenizer.json does otherwise.")


def _check_ids(path: Path, ids: Mapping[str, Any], tokenizer: PromptTokenizer) -> None:
    for text, number in ids.items():
        here = tokenizer.id_of(str(text))
        if str(here) != str(number):
            has = "does not have it" if here is None else f"has it as {here}"
            raise UserError(f"{path} gives the token {text} the id {number}, but tokenizer.json {has}; save it again.")


def _check_template(folder: Path) -> None:
    """A chat template of the folder must make the prompts that are made here."""
    for place, template in _templates(folder):
        question = "<|image_1|>\nWhat action?"
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        try:
            text = environment.from_string(template).render(
                messages=[{"role": "user", "content": question}], add_generation_prompt=True, bos_token="", eos_token=""
            )
        except (jinja2.TemplateError, TypeError, ValueError, OverflowError, RecursionError) as error:
            reason = " ".join(str(error).split())[:100]
            raise UserError(f"{place}: the chat template cannot be used: {type(error).__name__}: {reason}") from error
        if text.strip() != chat(question).strip():
            raise UserError(
                f"{place}: the chat template makes {json.dumps(text)[:120]} of a question, but these policies ask "
                f"{json.dumps(chat(question))}; other prompts are not supported."
            )


def _templates(folder: Path) -> list[tuple[Path, str]]:
    found = []
    for name in ("tokenizer_config.json", "processor_config.json", "chat_template.json"):
        path = folder / name
        template = read_json(path).get("chat_template") if path.exists() else None
        if isinstance(template, list):  # several, by name
            named = [entry for entry in template if isinstance(entry, Mapping)]
            template = next((entry.get("template") for entry in named if entry.get("name") == "default"), None)
        if isinstance(template, str):
            found.append((path, template))
    path = folder / "chat_template.jinja"
    if path.exists():
        try:
            found.append((path, path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}") from error
    return found
