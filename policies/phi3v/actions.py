"""Action ids and numbers between -1 and 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EDGES: Floats = np.linspace(-1.0, 1.0, 256)
CENTRES: Floats = (EDGES[:-1] + EDGES[1:]) / 2


def action_ids(vocab_size: int) -> range:
    """The ids that are actions: the last 256 of the tokenizer's own vocabulary."""
    return range(vocab_size - len(EDGES), vocab_size)


def encode(values: Floats, vocab_size: int) -> Ints:
    """Numbers in -1..1 (clipped) to action ids; -1 has the highest."""
    return (vocab_size - np.digitize(np.clip(values, -1.0, 1.0), EDGES)).astype(np.int64)


def decode(ids: Ints, vocab_size: int) -> Floats:
    """Ids to numbers in -1..1. There is one bin less than ids: the two lowest mean the same, and so does all beyond."""
    return np.asarray(CENTRES[np.clip(vocab_size - ids - 1, 0, len(CENTRES) - 1)])
