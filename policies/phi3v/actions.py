"""Action ids, numbers between -1 and 1, and what they mean on a robot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError
from policies.base import RobotName
from policies.phi3v.config import read_json

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EDGES: Floats = np.linspace(-1.0, 1.0, 256)
CENTRES: Floats = (EDGES[:-1] + EDGES[1:]) / 2
STATISTICS = "dataset_statistics.json"
UNNORM_KEYS: Mapping[RobotName, str] = {"google_robot": "fractal20220817_data", "widowx": "bridge_orig"}


def action_ids(vocab_size: int) -> range:
    """The ids that are actions: the last 256 of the tokenizer's own vocabulary."""
    return range(vocab_size - len(EDGES), vocab_size)


def encode(values: Floats, vocab_size: int) -> Ints:
    """Numbers in -1..1 (clipped) to action ids; -1 has the highest."""
    return (vocab_size - np.digitize(np.clip(values, -1.0, 1.0), EDGES)).astype(np.int64)


def decode(ids: Ints, vocab_size: int) -> Floats:
    """Ids to numbers in -1..1. There is one bin less than ids: the two lowest mean the same, and so does all beyond."""
    return np.asarray(CENTRES[np.clip(vocab_size - ids - 1, 0, len(CENTRES) - 1)])


@dataclass(frozen=True)
class Range:
    """How a data set was normalised; arrays (7,)."""

    q01: Floats
    q99: Floats
    mask: NDArray[np.bool_]
    """True: normalised by the quantiles; False: the number is meant as it is (gripper)."""

    def unnormalise(self, values: Floats) -> Floats:
        """(..., 7) numbers in -1..1 -> metres, radians, gripper 0 closed .. 1 open."""
        return np.where(self.mask, 0.5 * (values + 1) * (self.q99 - self.q01) + self.q01, values)


def read_ranges(folder: Path) -> dict[RobotName, Range]:
    """The ranges of both robots, from ``dataset_statistics.json`` or ``norm_stats`` in ``config.json``."""
    source = folder / STATISTICS
    if source.is_file():
        content: Any = read_json(source)
    else:
        source = folder / "config.json"
        content = read_json(source).get("norm_stats")
        if not isinstance(content, dict):
            raise UserError(f"{folder} has no {STATISTICS} (and no norm_stats in config.json): actions need its ranges.")
    return {robot: _range(source, content, key) for robot, key in UNNORM_KEYS.items()}


def _range(source: Path, content: Mapping[str, Any], key: str) -> Range:
    if key not in content:
        raise UserError(f'{source} has no "{key}"; it has {", ".join(sorted(content)) or "nothing"}.')
    try:
        action = content[key]["action"]
        q01, q99 = (np.array(action[name], dtype=np.float64) for name in ("q01", "q99"))
        mask = np.array(action.get("mask", [True] * 7), dtype=bool)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f'{source}: "{key}" cannot be used: {type(error).__name__}: {error}.') from error
    if not (q01.shape == q99.shape == mask.shape == (7,)) or not np.isfinite([q01, q99]).all():
        raise UserError(f'{source}: "{key}" needs 7 finite numbers each of q01, q99 and mask.')
    return Range(q01, q99, mask)
