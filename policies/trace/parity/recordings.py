"""Reading recorded runs of the original trace processor: one ``.npz`` a run."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError
from policies.trace.synthetic import KINDS, synthetic_image

GRID = 30
FRAMES = 10
"""Grid and clip length of all recordings: they are of the released numbers."""


@dataclass(frozen=True)
class Recorded:
    """One file."""

    name: str
    meta: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    def need(self, *names: str) -> None:
        """Tell which array is lacking, if one is."""
        for name in names:
            if name not in self.arrays:
                raise UserError(f'the recording {self.name} lacks the array "{name}".')

    def weights_seed(self) -> int | None:
        """Seed of the formula that made the tracker's weights; None if its tracks were scripted."""
        formula = re.search(r"formula, seed (\d+)", self.meta.get("note", "") + self.meta.get("weights", ""))
        return int(formula[1]) if formula else None

    def images(self) -> list[NDArray[np.uint8]]:
        """All images of a run; they are made, not read."""
        kind = self.meta["kind"]
        if kind not in KINDS:
            raise UserError(f'{self.name}: images of the kind "{kind}" cannot be made. Known: {", ".join(KINDS)}.')
        return [synthetic_image(kind, self.meta["video_seed"], t) for t in range(len(self.arrays["table"]))]

    def table(self) -> Mapping[str, NDArray[np.int64]]:
        """Columns by name, one value an image."""
        columns = self.arrays["table_columns"].tolist()
        return dict(zip(columns, self.arrays["table"].T, strict=True))


def recorded_runs(folder: Path) -> list[str]:
    """Names of the runs in a folder, which may be none."""
    return sorted(path.stem for path in (folder / "runs").glob("*.npz"))


def read(path: Path) -> Recorded:
    """Load one file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return Recorded(path.stem, json.loads(str(arrays.pop("meta"))), arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"the recording {path} cannot be read: {error}") from error
