"""What was played, one small file an episode: ``actions/<name>.npy`` holds the (T, 7) float64 commands of its T steps, and
``actions/<name>.terminate.npy`` (T,) bool whether the policy said done, where it ever did.

The name is the episode's content id, followed by ``-r<k>`` in repeat k > 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.records.folder import disk_errors
from eval.records.results import RecordKey

FOLDER = "actions"


class KeptActions:
    """Writes those files into a run folder; with ``keep=False`` none, and what an earlier try left is removed."""

    def __init__(self, run: Path, keep: bool = True) -> None:
        self._run, self._folder, self._keep = run, run / FOLDER, keep

    def write(self, key: RecordKey, commands: Sequence[Sequence[float]], terminates: Sequence[bool]) -> None:
        """Replace what is kept of an episode, all or nothing. Raises UserError if the disk refuses."""
        terminate = np.array(terminates, bool) if any(terminates) else None
        with disk_errors(self._run):
            self._replace(f"{key.name}.npy", np.array(commands, np.float64) if commands else None)
            self._replace(f"{key.name}.terminate.npy", terminate)

    def _replace(self, name: str, array: NDArray[np.float64] | NDArray[np.bool_] | None) -> None:
        if array is None or not self._keep:
            (self._folder / name).unlink(missing_ok=True)
            return
        part = self._folder / f".{name}.part"
        self._folder.mkdir(exist_ok=True)
        with part.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        part.replace(self._folder / name)
