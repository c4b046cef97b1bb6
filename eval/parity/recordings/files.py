"""Reading folders of recorded runs: one key = ``NAME.json`` + ``NAME.npz``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError

NOT_KEYS = frozenset({"summary", "noise_floor"})


@dataclass(frozen=True)
class Recording:
    """One key: its facts and arrays."""

    key: str
    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


def recorded_keys(folder: Path) -> list[str]:
    """Names of the keys in a folder."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder. Give a folder of recordings (NAME.json + NAME.npz).")
    keys = [p.stem for p in folder.glob("*.json") if p.stem not in NOT_KEYS and p.with_suffix(".npz").is_file()]
    if not keys:
        raise UserError(f"{folder} holds no recordings (pairs NAME.json + NAME.npz).")
    return sorted(keys)


def read_recording(folder: Path, key: str) -> Recording:
    """Load one key."""
    try:
        facts = json.loads((folder / f"{key}.json").read_text())
        with np.load(folder / f"{key}.npz") as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise UserError(f"the recording {key} in {folder} cannot be read: {error}") from error
    return Recording(key, facts, arrays)
