"""How much memory a batch takes, and which batch fits."""

from __future__ import annotations

from policies.phi3v.config import Phi3VConfig

BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32)
"""Batch sizes that are worked on; others are filled up to the next. Larger ones gain nothing on any card measured."""
SHARE = 1 / 3
"""Of the memory that is free once the weights are loaded; the rest is for renderers, the tracker and graphs."""
CHUNK_TOKENS = 12288
"""Tokens that are read at a time: enough to fill a large card, few enough that what lies between the products is small."""
CROPS_AT_ONCE = 32
PLACES = 64
"""The cache has a multiple of so many places."""


def bucket(count: int) -> int:
    """The batch size that ``count`` sequences are filled up to."""
    return next((size for size in BUCKETS if size >= count), -(-count // 8) * 8)


def places(tokens: int) -> int:
    """Places of the cache for sequences of ``tokens``."""
    return -(-tokens // PLACES) * PLACES


def bytes_a_sequence(config: Phi3VConfig, tokens: int, itemsize: int) -> int:
    """Keys and values of one sequence of ``tokens``, those that are generated included."""
    text = config.text
    width = text["hidden_size"] // text["num_attention_heads"] * text["num_key_value_heads"]
    return 2 * int(text["num_hidden_layers"]) * places(tokens) * int(width) * itemsize


def bytes_between(config: Phi3VConfig, itemsize: int) -> int:
    """What lies between the products at most, whatever the batch."""
    text, vision = config.text, config.vision
    reading = CHUNK_TOKENS * (3 * text["intermediate_size"] + 6 * text["hidden_size"])
    seeing = CROPS_AT_ONCE * 577 * (3 * vision["intermediate_size"] + 4 * vision["hidden_size"])
    return int(max(reading, seeing)) * itemsize


def fitting_batch(config: Phi3VConfig, tokens: int, itemsize: int, free: int) -> int:
    """The largest batch of sequences of ``tokens`` for which ``free`` bytes leave enough for everything else; at least 1."""
    rows = (free * SHARE - bytes_between(config, itemsize)) / bytes_a_sequence(config, tokens, itemsize)
    return max((size for size in BUCKETS if size <= rows), default=1)
